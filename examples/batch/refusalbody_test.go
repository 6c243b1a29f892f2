package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

// TestRefusalWithoutItsBody checks that a refusal whose body is cut off keeps its status, its header fields and
// the part of the body that has come.
func TestRefusalWithoutItsBody(t *testing.T) {
	var answer func(w http.ResponseWriter)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	defer server.Close()
	cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-url", server.URL})
	require.NoError(t, err)
	s := newSender(cfg, t.Context())
	defer s.transport.CloseIdleConnections()
	l := newLine(1, []byte(`{}`))
	l.parse("a", cfg.url)

	answer = cutOff(429, "Retry-After", "5")
	r := s.send(l)
	require.EqualError(t, r.err, "429 Too Many Requests (retry after 5s)")
	require.Equal(t, retry.Verdict{Kind: retry.KindRateLimited, Wait: 5 * time.Second}, retry.Classify(r.err))
	require.Equal(t, `"sorry"`, string(resultOf(l, nil, r.err).Response.Body))
	require.EqualValues(t, 1, s.rateLimited.Load())

	answer = cutOff(401)
	r = s.send(l)
	require.Equal(t, theAccount, blameFor(r.err))
	require.False(t, retry.Classify(r.err).Retryable())

	answer = cutOff(200)
	r = s.send(l)
	require.ErrorContains(t, r.err, "reading the answer: unexpected EOF")
	require.Equal(t, retry.KindTransient, retry.Classify(r.err).Kind)
}

// TestRefusalThatStalls checks that a refusal whose body does not come keeps its status, and holds its slot only
// for a short time.
func TestRefusalThatStalls(t *testing.T) {
	for _, timeout := range []string{"1h", "20ms"} {
		t.Run(timeout, func(t *testing.T) {
			t.Parallel()
			st := newSite(t, generous, requests(1)...)
			st.refuseStalled(401)
			sum, err := st.process("-timeout", timeout, "-retries", "1000", "-max-backoff", "2ms") // a busy machine may time out before the status comes
			require.NoError(t, err)
			require.ErrorContains(t, sum.stopped, "\n  1 × 401 Unauthorized\n")
		})
	}
}

// refuseStalled answers every request with the first part of a refusal, and then stalls.
func (st *site) refuseStalled(status int) {
	over := make(chan struct{})
	st.t.Cleanup(func() { close(over) })
	st.intercept(func(w http.ResponseWriter, _ int) bool {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(status)
		fmt.Fprint(w, "sorry")
		w.(http.Flusher).Flush()
		<-over
		return true
	})
}
