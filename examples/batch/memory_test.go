package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// TestH79_ReadAheadInBytes checks that few long lines are read ahead, although their number would allow more. A
// line longer than the limit is sent alone.
func TestH79_ReadAheadInBytes(t *testing.T) {
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"n":%d,"x":%q}`, i, strings.Repeat("x", 1000))
	}
	lines[99] = fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", 50_000))
	st := newSite(t, generous, lines...)
	synctest.Test(t, func(t *testing.T) {
		cfg, err := parseFlags(st.args())
		require.NoError(t, err)
		b, err := newBatch(t.Context(), cfg, io.Discard)
		require.NoError(t, err)
		defer b.close()
		require.EqualValues(t, 64<<20, b.lineBytes.limit)
		require.EqualValues(t, 64<<20, b.answerBytes.limit)

		b.lineBytes = newByteLimit(10_500)
		b.soft, b.cancelSoft = context.WithCancelCause(t.Context())
		var got []*line
		over := false
		go func() {
			for l := range b.todo() {
				got = append(got, l)
			}
			over = true
		}()
		for n := 10; n < 100; n++ {
			synctest.Wait()
			require.Len(t, got, n)
			require.LessOrEqual(t, b.lineBytes.used, b.lineBytes.limit)
			require.Nil(t, got[n-1].text, "only the body is kept")
			b.lineBytes.release(got[n-10].bytes)
		}
		synctest.Wait()
		require.Len(t, got, 99, "the long line waits until it is alone")
		for _, l := range got[90:] {
			b.lineBytes.release(l.bytes)
		}
		synctest.Wait()
		require.Len(t, got, 100)
		require.True(t, over)
	})
}

// TestByteLimitInterrupted checks that acquire also returns when its context ends, since no more bytes may be
// released by then.
func TestByteLimitInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newByteLimit(10)
		h.acquire(t.Context(), 10)
		ctx, cancel := context.WithCancel(t.Context())
		took := false
		go func() {
			h.acquire(ctx, 5)
			took = true
		}()
		synctest.Wait()
		require.False(t, took)
		cancel()
		synctest.Wait()
		require.True(t, took)
		require.EqualValues(t, 15, h.used)
	})
}

// TestH79_FailedBodiesAreNotKept checks that a line that backs off does not keep the body of its last answer.
// The body of its final answer is in the result.
func TestH79_FailedBodiesAreNotKept(t *testing.T) {
	st := newSite(t, generous, requests(20)...)
	body := `{"error":{"message":"` + strings.Repeat("busy ", 10_000) + `"}}`
	st.refuseAll(503, body)
	cfg, err := parseFlags(st.args("-retries", "2", "-stop-after", "0"))
	require.NoError(t, err)
	b, err := newBatch(t.Context(), cfg, io.Discard)
	require.NoError(t, err)
	defer b.close()
	sub := b.s.Subscribe(events.Of(events.Retrying, events.Exhausted))
	_, err = b.process(t.Context(), t.Context(), &bytes.Buffer{})
	require.NoError(t, err)
	b.s.Close()
	seen := 0
	for ev := range sub.C {
		if ev.Kind == events.Retrying {
			var status *statusError
			require.True(t, errors.As(ev.Err, &status))
			require.Nil(t, status.Body)
			require.Less(t, len(ev.Err.Error()), 600, "and a short message")
			seen++
		}
	}
	require.Equal(t, 2*20, seen)
	require.Len(t, st.results(), 20)
	for _, r := range st.results() {
		require.JSONEq(t, body, string(r.Response.Body))
	}
	require.Zero(t, b.answerBytes.used)
}

// TestMaxAnswer checks that an answer that is too long in the result becomes an error that says so. A refusal
// that long stays a refusal.
func TestMaxAnswer(t *testing.T) {
	const most = 1 << 20
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"just fits":            {200, `"` + strings.Repeat("x", most-2) + `"`, ""},
		"longer":               {200, `"` + strings.Repeat("x", most-1) + `"`, "the answer is longer than 1 MiB, which -max-answer allows"},
		"control characters":   {200, strings.Repeat("\x01", most/6+1), "the answer is longer than 1 MiB, which -max-answer allows"},
		"a page":               {200, strings.Repeat("<>", most/2-2), ""},
		"a refusal":            {503, strings.Repeat("x", most+1), "retries exhausted: 2 attempts failed"},
		"a refusal of its own": {400, strings.Repeat("x", most+1), "400 Bad Request"},
		"of unknown length":    {-200, strings.Repeat("x", most+1), "the answer is longer than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, generous, requests(1)...)
			st.intercept(func(w http.ResponseWriter, _ int) bool {
				w.WriteHeader(max(c.status, -c.status))
				if c.status < 0 { // without a Content-Length
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write([]byte(c.body))
				return true
			})
			_, err := st.process("-max-answer", "1", "-retries", "1", "-stop-after", "0")
			require.NoError(t, err)
			for _, r := range st.results() {
				if c.want == "" {
					require.Nil(t, r.Error)
					require.LessOrEqual(t, len(r.Response.Body), most)
					continue
				}
				require.Contains(t, r.Error.Message, c.want)
			}
			require.Len(t, st.results(), 1)
		})
	}
}

// TestSizeAsJSON checks that the length of a result's body is known before it is built.
func TestSizeAsJSON(t *testing.T) {
	parts := []string{"x", "\u2028", "<&>", "\x00", "\x1f", "\x7f", "\b", "\f", "\n", "\r", "\t", "\"", "\\", "\ufffd", "é", "\u009b", "\xff", "\xe2\x80", "😀"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		body := []byte("{")
		for range rnd.IntN(20) {
			body = append(body, parts[rnd.IntN(len(parts))]...)
		}
		require.Equal(t, int64(len(asJSON(body))+1), sizeAsJSON(body), "%q", body)
	}
	require.EqualValues(t, 8, sizeAsJSON([]byte(`{"a": 1}`)), "or less")
}
