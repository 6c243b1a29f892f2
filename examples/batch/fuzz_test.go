package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// FuzzAnswer checks that any answer is interpreted, waits exactly as long as it says, and becomes one line that
// a later run can read.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", []byte(`{"ok":true}`))
	f.Add(429, "7", []byte(`{"error":{"message":"slow down","code":"rate_limit"}}`))
	f.Add(429, "-1", []byte(`{"error":{"code":"insufficient_quota"}}`))
	f.Add(503, "Sun, 01 Mar 2026 12:00:30 GMT", []byte("<html>\n</html>"))
	f.Add(503, "99999999999999999999", []byte("\xff\xfe\x00"))
	f.Add(503, "9223372037", []byte(`null`))
	f.Add(400, "1.5", []byte(`{"error":{"message":17}}`))
	f.Add(200, "", []byte(nested(9999)))
	f.Add(404, "", []byte(nested(10000)))
	f.Add(200, "7", []byte(`{"error":{"code":429}}`))
	f.Add(201, "", []byte(`{"error":"busy"}`))
	f.Add(500, "Sunday, 31-Dec-99 23:59:59 GMT", []byte("\"\u2028\"\n[1,\n2]"))
	path := filepath.Join(f.TempDir(), "results")
	f.Fuzz(func(t *testing.T, status int, wait string, body []byte) {
		now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
		var s sender
		res := &http.Response{StatusCode: status, Status: strconv.Itoa(status), Header: http.Header{"Retry-After": {wait}}}
		answer, err := s.interpret(res, asJSON(body), headers.Parse(res.Header, now))
		v := retry.Classify(err)
		requireWait(t, wait, now, v)
		inside := status/100 == 2 && parseAPIError(asJSON(body)).found()
		require.Equal(t, status/100 == 2 && !inside, err == nil)
		require.Equal(t, err == nil, answer != nil)
		if inside {
			status = parseAPIError(asJSON(body)).status() // the status that it counts as
		}
		switch status {
		case 408, 425, 429:
		case 403, 413: // only if they say when
			require.Equal(t, v.Wait > 0, v.Retryable())
		default:
			require.False(t, v.Retryable() && (status < 500 || status > 599), "%d is retried: %v", status, v)
		}
		n, ok := usedTokens(asJSON(body))
		require.True(t, n >= 0 && n <= 5*maxTokens && (ok || n == 0), n)
		require.GreaterOrEqual(t, estimate(body), int64(0))
		l := newLine(3, []byte(`{}`))
		r := resultOf(l, answer, err)
		file := outputOf(t, path, "")
		require.NoError(t, file.write(r))
		require.NoError(t, file.write(r))
		read := 0
		_, err = file.file.Seek(0, io.SeekStart)
		require.NoError(t, err)
		tail, err := readResults(file.file, func(e *entry) {
			read++
			require.Equal(t, 3, e.number)
			require.Equal(t, l.hash, e.hash)
			var got result
			require.NoError(t, json.Unmarshal(e.text, &got))
			requireBody(t, body, got.Response.Body)
		})
		require.NoError(t, err)
		require.Empty(t, tail)
		require.Equal(t, 2, read)
	})
}

// requireBody checks that a whole answer is kept, as JSON or as text.
func requireBody(t *testing.T, body []byte, kept json.RawMessage) {
	var text string
	if want := asJSON(body); want[0] != '"' && kept[0] == '"' {
		require.NoError(t, json.Unmarshal(kept, &text))
		require.Greater(t, len(want), 2*9000)
		kept = json.RawMessage(text) // too deep to be JSON within a result
	}
	require.JSONEq(t, string(asJSON(body)), string(kept))
}

// requireWait checks the wait of a Retry-After in a form of RFC 9110 against a simple model. In other forms it
// must not be negative. An answer that is not retried has no wait.
func requireWait(t *testing.T, value string, now time.Time, got retry.Verdict) {
	require.GreaterOrEqual(t, got.Wait, time.Duration(0))
	if !got.Retryable() {
		require.Zero(t, got.Wait)
		return
	}
	digits := strings.TrimLeft(value, "0")
	switch at, err := http.ParseTime(value); {
	case err == nil:
		require.Equal(t, max(0, at.Sub(now)), got.Wait, "%q", value)
	case value != "" && strings.Trim(value, "0123456789") == "" && len(digits) < 10:
		seconds, _ := strconv.Atoi("0" + digits) // so few digits are always a number
		require.Equal(t, time.Duration(seconds)*time.Second, got.Wait, "%q", value)
	case value == "" || strings.HasPrefix(value, "-"):
		require.Zero(t, got.Wait, "%q", value)
	}
}

// outputOf opens a file of results that contains a text.
func outputOf(t *testing.T, path, text string) *output {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	_, err = file.WriteString(text)
	require.NoError(t, err)
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	info, err := file.Stat()
	require.NoError(t, err)
	return &output{path: path, file: file, info: info}
}

// FuzzInput checks that no line of any input is lost or counted twice. Each line is either sent to an allowed
// address or bad, and has an id of its own.
func FuzzInput(f *testing.F) {
	f.Add("https://api.example.com/v1/", []byte(`{"model":"m"}`))
	f.Add("", []byte(`{"custom_id":"a","method":"GET","url":"https://example.com","body":{"x":1},"priority":2}`+"\r\n\n[1]\nnull"))
	f.Add("http://example.com", []byte(byteOrderMark+byteOrderMark+`{"plain":"body"}`))
	f.Add("http://example.com", []byte(`{"custom_id":7}`+"\n"+`{"custom_id":null,"url":"//evil/","priority":1e3}`+"\n"+`{"url":"/x","method":"G T"}`))
	f.Add("http://example.com/", []byte("{\"custom_id\":\"\xff\n\",\"url\":\"http://user:pw@example.com:80/%zz\"}\n\n \t\n{"))
	f.Fuzz(func(t *testing.T, base string, text []byte) {
		at, err := url.Parse(base)
		if err != nil || !absolute(at) {
			at = nil // -url does not allow others
		}
		var failed error
		number, left := 0, bytes.TrimPrefix(text, []byte(byteOrderMark))
		for l := range readLines(bytes.NewReader(text), &failed) {
			require.Greater(t, l.number, number)
			for ; number < l.number; number++ { // the lines before it are blank
				var one []byte
				one, left, _ = bytes.Cut(left, []byte("\n"))
				if number == l.number-1 {
					require.Equal(t, bytes.TrimSpace(one), l.text)
				} else {
					require.Empty(t, bytes.TrimSpace(one))
				}
			}
			n, hash, err := parseID(l.id())
			require.NoError(t, err)
			require.Equal(t, l.number, n)
			require.Equal(t, l.hash, hash)
			_ = l.name()
			l.parse("requests", at)
			requireRequest(t, l, at)
		}
		require.NoError(t, failed)
		require.Empty(t, bytes.TrimSpace(left))
	})
}

// requireRequest checks that a line that is not bad can be sent, and to -url only.
func requireRequest(t *testing.T, l *line, base *url.URL) {
	if l.err != nil {
		require.Contains(t, l.err.Error(), "requests:"+strconv.Itoa(l.number)+":")
		return
	}
	require.True(t, json.Valid(l.text))
	req, err := http.NewRequest(l.method, l.url, bytes.NewReader(l.body))
	require.NoError(t, err)
	require.NotEmpty(t, req.URL.Host)
	if base != nil {
		require.Equal(t, strings.TrimSuffix(base.Host, ":"), req.URL.Host)
		require.Equal(t, base.Scheme, req.URL.Scheme)
	}
	if len(l.body) > 0 {
		require.True(t, json.Valid(l.body))
	}
}

// FuzzResume checks that the results of an earlier run are either refused and not changed, or all known and
// kept. At most a torn last line is cut off, or a missing line end is added. A second run changes nothing.
func FuzzResume(f *testing.F) {
	whole := `{"id":"3-0000abcd","custom_id":"","response":{"status_code":200,"body":{"x":1}},"error":null}` + "\n"
	f.Add([]byte(whole))
	f.Add([]byte(whole + whole[:40]))
	f.Add([]byte(whole + "\n"))
	f.Add([]byte(whole + whole[:len(whole)-1]))
	f.Add([]byte(`{"id":"03-0000abcd"}` + "\n" + `{"id":"5-00000000"}` + "\n"))
	f.Add([]byte(`{"id":"101-0000abcd"}` + "\n"))
	f.Add([]byte("null\n{}"))
	f.Add([]byte(`{"id":"7-ffffffff"}` + "\r\n" + `{"id`))
	path := filepath.Join(f.TempDir(), "results")
	f.Fuzz(func(t *testing.T, text []byte) {
		out := outputOf(t, path, string(text))
		err := out.resume(99, false)
		kept, readErr := os.ReadFile(path)
		require.NoError(t, readErr)
		require.True(t, bytes.HasPrefix(append(bytes.Clone(text), '\n'), kept))
		if err != nil {
			require.Equal(t, text, kept, "%v", err)
			return
		}
		lost := text[min(len(text), len(kept)):]
		require.NotContains(t, string(lost), "\n")
		const start = `{"id":"`
		require.Equal(t, start[:min(len(lost), len(start))], string(lost[:min(len(lost), len(start))]), "it may be the user's data")
		require.True(t, len(kept) == 0 || kept[len(kept)-1] == '\n')

		done := make([]uint32, 100)
		for line := range bytes.Lines(kept) {
			var r struct{ ID string }
			require.NoError(t, json.Unmarshal(line, &r))
			number, hash, ok := strings.Cut(r.ID, "-")
			require.True(t, ok)
			n, numberErr := strconv.ParseUint(number, 10, 32)
			h, hashErr := strconv.ParseUint(hash, 16, 32)
			require.NoError(t, errors.Join(numberErr, hashErr))
			done[n] = uint32(h)
		}
		require.Equal(t, done, out.done)
		again := outputOf(t, path, string(kept))
		require.NoError(t, again.resume(99, false))
		require.Equal(t, out.done, again.done)
	})
}
