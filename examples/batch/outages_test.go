package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestH78_AServerThatAnswersNothing: a server that takes requests and answers none of them is no line's
// fault. The run stops when the retries of several lines are used up, and the next one answers every line.
func TestH78_AServerThatAnswersNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   string
	}{
		"unavailable":   {func(w http.ResponseWriter) { w.WriteHeader(503) }, " × 503 Service Unavailable\n  wait until the server answers again, and"},
		"too many":      {func(w http.ResponseWriter) { w.WriteHeader(429) }, " × 429 Too Many Requests\n"},
		"error inside":  {func(w http.ResponseWriter) { fmt.Fprint(w, `{"error":{"code":529}}`) }, " × 200 OK, but its body is an error\n"},
		"hangs up":      {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, " × EOF\n"},
		"answers parts": {cutOff(200), " × reading the answer: unexpected EOF\n"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, generous, requests(200)...)
			st.putInFront(func(w http.ResponseWriter, _ int) bool {
				c.answer(w)
				return true
			})
			sum, err := st.process("-in-flight", "4", "-retries", "1", "-max-backoff", "2ms")
			require.NoError(t, err)
			require.Equal(t, 200, sum.todo)
			require.ErrorContains(t, sum.stopped, c.want)
			require.Empty(t, st.results())
			require.LessOrEqual(t, sum.retries, uint64(100), "the others keep theirs")

			st.putInFront(nil)
			sum, err = st.process()
			require.NoError(t, err)
			require.NoError(t, sum.stopped)
			require.Equal(t, counts{answered: 200}, sum.counts)
		})
	}
}

// cutOff returns a handler that promises more of a body than it sends.
func cutOff(status int, fields ...string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "sorry")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// TestOneLineWithoutAnswer: if other lines are answered, the failure of one that never is becomes its
// result. In a file without any answer it does not, unless -stop-after is 0.
func TestOneLineWithoutAnswer(t *testing.T) {
	bad := func(w http.ResponseWriter, line int) bool {
		if line == 2 {
			w.WriteHeader(500)
		}
		return line == 2
	}
	for _, n := range []int{2, 40} {
		st := newSite(t, generous, requests(n)...)
		st.putInFront(bad)
		sum, err := st.process("-in-flight", "2", "-retries", "1", "-stop-after", "2")
		require.NoError(t, err)
		require.NoError(t, sum.stopped)
		require.Equal(t, n-1, sum.answered)
		require.Equal(t, 1, sum.failed)
	}

	st := newSite(t, generous, requests(3)...)
	st.refuseAll(500, ``)
	sum, err := st.process("-retries", "1")
	require.NoError(t, err)
	require.Equal(t, 3, sum.todo)
	require.ErrorContains(t, sum.stopped, "\n  3 × 500 Internal Server Error\n")
	sum, err = st.process("-retries", "1", "-stop-after", "0")
	require.NoError(t, err)
	require.NoError(t, sum.stopped)
	require.Equal(t, 3, sum.failed)
}

// TestRevokedKey: an answer to a request that went out before a refused one does not make the refusal its
// line's result.
func TestRevokedKey(t *testing.T) {
	st := newSite(t, generous, requests(100)...)
	g, bothOut, refused := newGate(t), make(chan struct{}), make(chan struct{}, 100)
	st.putInFront(func(w http.ResponseWriter, line int) bool {
		switch {
		case line <= 2:
			g.pass(line)
		case line <= 4:
			<-bothOut
		default:
			w.WriteHeader(401)
			refused <- struct{}{}
			return true
		}
		return false
	})
	r := st.start("-in-flight", "4", "-stop-after", "20")
	<-g.held
	<-g.held
	close(bothOut)
	for range 10 {
		<-refused
	}
	g.open()
	sum := r.result(t)
	require.Equal(t, counts{answered: 4, todo: 96}, sum.counts)
	require.ErrorContains(t, sum.stopped, " × 401 Unauthorized\n")
	require.Less(t, len(r.refusals.kept), 20+4, "the answers did not begin a new row")
}

// TestRowOfRefusals: only answers to requests that went out later settle a refusal, in whatever order the
// answers come.
func TestRowOfRefusals(t *testing.T) {
	var r refusals
	r.answer(5)
	require.Zero(t, r.refuse(4), "the later answer has come already")
	require.Equal(t, 1, r.refuse(6))
	require.Equal(t, 2, r.refuse(9))
	r.answer(3)
	require.Equal(t, 3, r.refuse(7))
	r.answer(8)
	require.True(t, r.settled(7))
	require.False(t, r.settled(9))
	require.Equal(t, 2, r.refuse(10))
}

// TestKeptRefusalsAreShort: a refusal that is kept back does not keep a long body.
func TestKeptRefusalsAreShort(t *testing.T) {
	st := newSite(t, generous, requests(2)...)
	var once sync.Once
	st.putInFront(func(w http.ResponseWriter, _ int) (refused bool) {
		once.Do(func() {
			refused = true
			w.WriteHeader(403)
			fmt.Fprint(w, strings.Repeat("é", 1<<20))
		})
		return refused
	})
	sum, err := st.process("-in-flight", "1")
	require.NoError(t, err)
	require.Equal(t, counts{answered: 1, failed: 1}, sum.counts)
	for _, res := range st.results() {
		if res.Error != nil {
			require.Equal(t, `"`+strings.Repeat("é", mostKept/2)+`…"`, string(res.Response.Body))
		}
	}
}
