package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestH78_AServerThatAnswersNothing checks that a run stops when the retries of several lines are used up, since
// a server that answers nothing is no line's fault. The next run answers every line.
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
			st.intercept(func(w http.ResponseWriter, _ int) bool {
				c.answer(w)
				return true
			})
			sum, err := st.process("-in-flight", "4", "-retries", "1", "-max-backoff", "2ms")
			require.NoError(t, err)
			require.Equal(t, 200, sum.todo)
			require.ErrorContains(t, sum.stopped, c.want)
			require.Empty(t, st.results())
			require.LessOrEqual(t, sum.retries, uint64(100), "most lines keep their retries")

			st.intercept(nil)
			sum, err = st.process()
			require.NoError(t, err)
			require.NoError(t, sum.stopped)
			require.Equal(t, counts{answered: 200}, sum.counts)
		})
	}
}

// cutOff returns a handler that sends less of a body than its Content-Length says.
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

// TestOneLineWithoutAnswer checks that the failure of a line becomes its result if other lines are answered. In
// a file without any answer it does not, unless -stop-after is 0.
func TestOneLineWithoutAnswer(t *testing.T) {
	bad := func(w http.ResponseWriter, line int) bool {
		if line == 2 {
			w.WriteHeader(500)
		}
		return line == 2
	}
	for _, n := range []int{2, 40} {
		st := newSite(t, generous, requests(n)...)
		st.intercept(bad)
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

// TestRevokedKey checks that an answer does not make the refusals of later requests their lines' results.
func TestRevokedKey(t *testing.T) {
	st := newSite(t, generous, requests(100)...)
	g, bothOut, refused := newGate(t), make(chan struct{}), make(chan struct{}, 100)
	st.intercept(func(w http.ResponseWriter, line int) bool {
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
	require.Less(t, len(r.refusals.withheld), 20+4, "the answers did not begin a new streak")
}

// TestStreakOfRefusals checks that only the answer to a later request ends a refusal's streak, in any order of
// answers.
func TestStreakOfRefusals(t *testing.T) {
	var r refusals
	r.onAnswer(5)
	require.Zero(t, r.add(4), "a later request is answered already")
	require.Equal(t, 1, r.add(6))
	require.Equal(t, 2, r.add(9))
	r.onAnswer(3)
	require.Equal(t, 3, r.add(7))
	r.onAnswer(8)
	require.True(t, r.answeredSince(7))
	require.False(t, r.answeredSince(9))
	require.Equal(t, 2, r.add(10))
}

// TestWithheldRefusalsAreShort checks that a withheld refusal does not keep a long body.
func TestWithheldRefusalsAreShort(t *testing.T) {
	st := newSite(t, generous, requests(2)...)
	var once sync.Once
	st.intercept(func(w http.ResponseWriter, _ int) (refused bool) {
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
			require.Equal(t, `"`+strings.Repeat("é", maxWithheld/2)+`…"`, string(res.Response.Body))
		}
	}
}
