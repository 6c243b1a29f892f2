package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// TestH80_KeysAreShownNowhere checks that a key in a header or a URL is in no result, timeline or message,
// after any failure.
func TestH80_KeysAreShownNowhere(t *testing.T) {
	t.Setenv("TEST_KEY", "s3cret")
	dropped := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dropped.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client has gone
		<-r.Context().Done()
	}))
	defer slow.Close()
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://%zz?key=s3cret")
		w.WriteHeader(http.StatusFound)
	}))
	defer odd.Close()
	for name, url := range map[string]string{
		"dropped":   dropped.URL,
		"slow":      slow.URL,
		"no moving": odd.URL,
		"away":      "http://" + newFlakyServer(t).address,
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, generous, `{"custom_id":"a","url":"/x?own=s3cret","body":{}}`, `{"custom_id":"b","url":"ftp://me:s3cret@h/?k=s3cret","body":{}}`,
				`{"custom_id":"c","url":"https://h/%zz?key=s3cret","body":{}}`, `{"custom_id":"d","url":"/x?own=s3cret","method":"A B","body":{}}`)
			st.url = strings.Replace(url, "http://", "http://me:s3cret@", 1) + "/v1?key=s3cret"
			page, trace := filepath.Join(t.TempDir(), "run.html"), filepath.Join(t.TempDir(), "run.json")
			r := st.start("-header", "Authorization: Bearer $TEST_KEY", "-retries", "1", "-max-away", "3ms", "-timeout", "30ms", "-report", page, "-trace", trace)
			sum := r.result(t)
			require.Equal(t, 4, sum.failed+sum.todo)
			all := r.log.String() + sum.String() + fmt.Sprint(sum.leftovers, sum.stopped)
			for _, path := range []string{st.out, page, trace} {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				all += string(text)
			}
			require.Contains(t, all, "key=…")
			require.NotContains(t, all, "s3cret")
		})
	}
}

// TestEscapes checks that neither a server nor a file can send escape sequences to the terminal.
func TestEscapes(t *testing.T) {
	program := build(t)
	const nasty = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\x7f"
	quoted, err := json.Marshal(nasty)
	require.NoError(t, err)
	st := newSite(t, generous, `{"custom_id":`+string(quoted)+`,"url":"/v1/x","body":{}}`, `{"custom_id":"a","url":`+string(quoted)+`,"body":{}}`)
	run := func(code int, args ...string) {
		cmd := exec.Command(program, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run() // the exit code is checked
		require.Equal(t, code, cmd.ProcessState.ExitCode(), stderr.String())
		require.Empty(t, stdout.String())
		for _, r := range stderr.String() {
			require.False(t, r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e', "%q in %q", r, stderr.String())
		}
		require.Contains(t, stderr.String(), `\x1b`)
	}
	for status, body := range map[int]string{503: `{"error":{"message":` + string(quoted) + `}}`, 401: `{"error":` + string(quoted) + `}`, 400: `{"error":{"message":` + string(quoted) + `}}`} {
		st.refuseAll(status, body)
		st.out += "x"
		run(exitFailed, st.args("-retries", "0")...)
	}
	if runtime.GOOS != "windows" { // Windows does not allow such names
		run(exitUsage, "-in", st.in+nasty, "-out", st.out)
	}
	run(exitUsage, "-in", st.in, "-out", st.out, nasty)
	run(exitUsage, "-in", st.in, "-out", st.out, "-"+nasty)
	run(exitUsage, "-in", st.in, "-out", st.out, "-retries", nasty)
}

// TestHelpGoesToStdout checks that the help goes to stdout, and an error to stderr, on one line.
func TestHelpGoesToStdout(t *testing.T) {
	program := build(t)
	for _, flag := range []string{"-h", "-help"} {
		cmd := exec.Command(program, flag)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Run())
		require.Equal(t, help(), stdout.String())
		require.Empty(t, stderr.String())
	}
	cmd := exec.Command(program, "-rate", "5")
	text, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, exitUsage, cmd.ProcessState.ExitCode())
	require.Equal(t, "batch: flag provided but not defined: -rate (batch -h explains the flags)\n", string(text))
}

// TestH81_ErrorsInsideOfA200 checks that a 200 whose body is an error counts as that error.
func TestH81_ErrorsInsideOfA200(t *testing.T) {
	transient, limited := retry.Verdict{Kind: retry.KindTransient}, retry.Verdict{Kind: retry.KindRateLimited}
	for body, want := range map[string]*retry.Verdict{
		`{"error":null,"choices":[]}`: nil,
		`{"error":""}`:                nil,
		`{"error":{}}`:                nil,
		`{"error":[]}`:                nil,
		`{"error":false}`:             nil,
		`{"error":0}`:                 nil,
		`{"errors":{"a":1}}`:          nil,
		`["error"]`:                   nil,
		`"error"`:                     nil,
		`{"error":{"message":"upstream is busy","code":429}}`: &limited,
		`{"error":{"code":503}}`:                              &transient,
		`{"error":{"code":"server_error"}}`:                   &transient,
		`{"error":{"code":12}}`:                               &transient,
		`{"error":"overloaded"}`:                              &transient,
		`{"error":true}`:                                      &transient,
		`{"error":{"code":400}}`:                              {},
		`{"error":{"code":"insufficient_quota"}}`:             {},
		`{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}`: {Kind: retry.KindRateLimited, Wait: 34 * time.Second},
	} {
		res := &http.Response{StatusCode: 200, Status: "200 OK"}
		answer, err := new(sender).interpret(res, json.RawMessage(body), headers.Observations{})
		if want == nil {
			require.NoError(t, err, body)
			require.Equal(t, body, string(answer.Body))
			continue
		}
		require.Nil(t, answer, body)
		require.Equal(t, *want, retry.Classify(err), body)
		require.ErrorContains(t, err, "200 OK, but its body is an error")
	}
}

// TestH81_WaitInTheBody checks that of all waits in a refusal, in header fields or in the body, the longest
// counts.
func TestH81_WaitInTheBody(t *testing.T) {
	const body = `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}`
	for header, want := range map[string]time.Duration{"": 34500 * time.Millisecond, "10": 34500 * time.Millisecond, "60": time.Minute} {
		for _, status := range []int{429, 503} {
			seen := headers.Parse(http.Header{"Retry-After": {header}}, time.Now())
			_, err := new(sender).interpret(&http.Response{StatusCode: status}, json.RawMessage(body), seen)
			require.Equal(t, want, retry.Classify(err).Wait, "%d %s", status, header)
		}
	}
	_, err := new(sender).interpret(&http.Response{StatusCode: 400}, json.RawMessage(body), headers.Observations{})
	require.False(t, retry.Classify(err).Retryable(), "a wait does not make an error retryable")
}

// TestH82_ResentPays checks that a request that is lost because the server closed an idle connection is sent
// again, pays again, and loses no retry. A GET is sent again by net/http, a POST by batch.
func TestH82_ResentPays(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		var mu sync.Mutex
		asked, connections := 0, map[string]int{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			mu.Lock()
			defer mu.Unlock()
			asked++
			if connections[r.RemoteAddr]++; connections[r.RemoteAddr] > 1 {
				panic(http.ErrAbortHandler) // as if the connection had just been closed
			}
			_, _ = w.Write([]byte(`{}`))
		}))
		defer server.Close()
		lines := make([]string, 200)
		for i := range lines {
			lines[i] = fmt.Sprintf(`{"custom_id":"%d","method":%q,"url":"/x"}`, i, method)
		}
		st := newSite(t, generous, lines...)
		st.url = server.URL
		r := st.start("-in-flight", "4", "-retries", "0", "-tpm", "1000000")
		require.Equal(t, 200, r.result(t).answered)
		snap := r.s.Snapshot()
		require.Zero(t, snap.Totals.Retries, method)
		for _, b := range snap.Budgets {
			if b.Name == requestBudget {
				require.EqualValues(t, asked, b.Ledger.Spent-b.Ledger.Refunded, method)
			}
		}
		require.Greater(t, asked, 250)
	}
}

// TestH82_AnswerThatBreaksOff checks that an answer that breaks off costs a retry, even on a connection that was
// idle before.
func TestH82_AnswerThatBreaksOff(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		if connections[r.RemoteAddr]++; connections[r.RemoteAddr] == 1 {
			_, _ = w.Write([]byte(`{}`))
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-"))
		_ = c.Close()
	}))
	defer server.Close()
	st := newSite(t, generous, requests(2)...)
	st.url = server.URL
	r := st.start("-in-flight", "1")
	require.Equal(t, 2, r.result(t).answered)
	require.EqualValues(t, 1, r.s.Snapshot().Totals.Retries)
}

// TestHostHeader checks that -header can set Host, which net/http does not take from Header.
func TestHostHeader(t *testing.T) {
	var host, user string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		user, _, _ = r.BasicAuth()
	}))
	defer server.Close()
	st := newSite(t, generous, requests(1)...)
	st.url = strings.Replace(server.URL, "http://", "http://me:pw@", 1)
	_, err := st.process("-header", "Host: api.example.com")
	require.NoError(t, err)
	require.Equal(t, "api.example.com", host)
	require.Equal(t, "me", user)
}

// TestTimeoutSaysSo checks that the error of an attempt names -timeout only if that has ended it.
func TestTimeoutSaysSo(t *testing.T) {
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		attempts, attempt context.Context
		want              string
	}{
		{t.Context(), late, "timed out after 1m0s (-timeout): EOF"},
		{t.Context(), t.Context(), "EOF"},
		{t.Context(), interrupted, "EOF"},
		{interrupted, late, "EOF"},
	} {
		s := sender{attemptsCtx: c.attempts, timeout: time.Minute}
		err := s.retryable(c.attempt, errors.New("EOF"))
		require.EqualError(t, err, c.want)
		require.True(t, retry.Classify(err).Retryable())
	}
}
