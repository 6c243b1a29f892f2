package headers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry/headers"
)

func info(delay string) string {
	return `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":` + delay + `}`
}

func refusal(details ...string) string {
	return `{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[` + strings.Join(details, ",") + `]}}`
}

func TestRetryInfo(t *testing.T) {
	quota := `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay"}]}`
	for body, want := range map[string]time.Duration{
		refusal(info(`"4s"`)):                          4 * time.Second,
		refusal(quota, info(`"34.074824224s"`)):        34074824224,
		refusal(info(`"1.0000000001s"`)):               time.Second + 1, // rounded up, so that no wait is too short
		refusal(info(`"1s"`), info(`"3s"`)):            3 * time.Second,
		"[" + refusal(info(`"4s"`)) + "]":              4 * time.Second, // the beginning of a stream
		"\n" + refusal(info(`"4s"`)) + "\n":            4 * time.Second,
		refusal(info(`"99999999999999999999s"`)):       forever,
		refusal(`"a text"`, `7`, `null`, info(`"4s"`)): 4 * time.Second,
		refusal(info(`"0s"`)):                          0,
		refusal(info(`"-4s"`)):                         0,
		refusal(info(`"4"`)):                           0,
		refusal(info(`"4ms"`)):                         0,
		refusal(info(`"1s1s"`)):                        0,
		refusal(info(`4`)):                             0,
		refusal(info(`{"seconds":4}`)):                 0,
		refusal(quota):                                 0,
		refusal(`{"@type":"type.googleapis.com/google.rpc.Help","retryDelay":"4s"}`): 0,
		refusal(info(`"4s"`))[:100]:          0,
		`{"error":"busy"}`:                   0,
		`{"error":{"details":"none"}}`:       0,
		`{"details":[` + info(`"4s"`) + `]}`: 0,
		`"text"`:                             0, `[]`: 0, `[[]]`: 0, `null`: 0, ``: 0, `<html>`: 0,
		strings.Repeat("[", 9999) + strings.Repeat("]", 9999): 0,
	} {
		wait, ok := headers.RetryInfo([]byte(body))
		require.Equal(t, want, wait, body[:min(len(body), 200)])
		require.Equal(t, want > 0, ok, body[:min(len(body), 200)])
	}
}

// FuzzRetryInfo checks that no body causes a panic or a negative wait.
func FuzzRetryInfo(f *testing.F) {
	f.Add([]byte(refusal(info(`"34.074824224s"`))))
	f.Add([]byte("[" + refusal(info(`"99999999999999999999s"`), info(`"-1s"`)) + "]"))
	f.Add([]byte(`{"error":{"details":{"a":1}},"ERROR":{"Details":[{"@Type":"google.rpc.RetryInfo","RETRYDELAY":"1s"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		wait, ok := headers.RetryInfo(body)
		if wait < 0 || ok != (wait > 0) {
			t.Errorf("%v, %v", wait, ok)
		}
	})
}
