package ratehttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestRepeats checks which requests are sent again.
func TestRepeats(t *testing.T) {
	always := func(ratehttp.Attempt) bool { return true }
	never := func(ratehttp.Attempt) bool { return false }
	for name, c := range map[string]struct {
		answer, method, header string
		body                   io.Reader
		may                    func(ratehttp.Attempt) bool
		again                  bool
	}{
		"what is idempotent":              {answer: "503", method: "PUT", body: strings.NewReader("x"), again: true},
		"DELETE without a body":           {answer: "500", method: "DELETE", again: true},
		"not a POST that may have worked": {answer: "503", method: "POST", body: strings.NewReader("x")},
		"nor if it was a proxy's wait":    {answer: "503 Retry-After-Ms: 1", method: "POST", body: strings.NewReader("x")},
		"a POST that was refused":         {answer: "429", method: "POST", body: strings.NewReader("x"), again: true},
		"GitHub's refusal":                {answer: "403 Retry-After-Ms: 1", method: "POST", body: strings.NewReader("x"), again: true},
		"what was too long for now":       {answer: "413 Retry-After-Ms: 1", method: "POST", body: strings.NewReader("x"), again: true},
		"not what is forbidden":           {answer: "403", method: "GET"},
		"a POST with a key":               {answer: "503", method: "POST", header: "Idempotency-Key", body: strings.NewReader("x"), again: true},
		"with the other key":              {answer: "503", method: "POST", header: "X-Idempotency-Key", body: strings.NewReader("x"), again: true},
		"a POST that its sender allows":   {answer: "503", method: "POST", body: strings.NewReader("x"), may: always, again: true},
		"not a GET that he doesn't":       {answer: "503", method: "GET", may: never},
		"a POST that the server wants":    {answer: "500 X-Should-Retry: true", method: "POST", body: strings.NewReader("x"), again: true},
		"not what it doesn't want":        {answer: "503 X-Should-Retry: false", method: "GET"},
		"not a body that is gone":         {answer: "429", method: "PUT", body: once{strings.NewReader("x")}},
		"nor if the server wants it":      {answer: "500 X-Should-Retry: true", method: "PUT", body: once{strings.NewReader("x")}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := answers(t, c.answer, "200")
			s := open(t, scheduler.Config{})
			req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL, c.body)
			require.NoError(t, err)
			if c.header != "" {
				req.Header.Set(c.header, "1")
			}
			res, err := client(t, &ratehttp.Transport{Scheduler: s, Repeatable: c.may}).Do(req)
			want := "answer 1"
			if c.again {
				want = "answer 2"
			}
			require.Equal(t, want, text(t, res, err))
			idle(t, s, srv)
		})
	}
}

// TestRefusalOfWhatIsGone checks that a refusal holds the other requests, even if its own request can't be sent again.
func TestRefusalOfWhatIsGone(t *testing.T) {
	srv := answers(t, "429 Retry-After: 30")
	s := open(t, scheduler.Config{})
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Post(srv.URL, "", once{strings.NewReader("x")})
	require.Equal(t, "answer 1", text(t, res, err))
	require.False(t, s.Snapshot().HeldUntil.IsZero())
	idle(t, s, srv)
}

// TestBodyIsReplayed checks that each attempt sends the whole body, even if the server did not read the one before.
func TestBodyIsReplayed(t *testing.T) {
	sent := strings.Repeat("0123456789abcdef", 1<<16)
	srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.WriteHeader(429) // without reading the body
			return
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != sent {
			t.Errorf("request %d: %d bytes, %v", n, len(got), err)
		}
		if n < 4 {
			w.WriteHeader(503)
		}
	})
	s := open(t, scheduler.Config{})
	// PUT, because net/http may report the broken pipe instead of the 429 before it
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Do(request(t, "PUT", srv.URL, sent))
	require.Empty(t, text(t, res, err))
	require.Equal(t, 200, res.StatusCode)
	idle(t, s, srv)
}

// TestGetBodyFails checks that a request ends if GetBody fails, and that the attempt that was not made costs nothing.
func TestGetBodyFails(t *testing.T) {
	srv := answers(t, "503")
	s := open(t, scheduler.Config{})
	req := request(t, "PUT", srv.URL, "x")
	broken := errors.New("the file is gone")
	req.GetBody = func() (io.ReadCloser, error) { return nil, broken }
	_, err := client(t, &ratehttp.Transport{Scheduler: s}).Do(req)
	require.ErrorIs(t, err, broken)
	require.EqualValues(t, 1, s.Snapshot().Totals.Attempts)
	idle(t, s, srv)
}
