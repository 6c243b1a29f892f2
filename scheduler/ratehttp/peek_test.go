package ratehttp_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

func attemptOf(body io.Reader) ratehttp.Attempt {
	return ratehttp.Attempt{Response: &http.Response{StatusCode: 200, Body: io.NopCloser(body)}}
}

// TestPeek checks that Peek returns the beginning of a body that comes in pieces of any size, and leaves the body whole.
func TestPeek(t *testing.T) {
	const said = "a body of some length"
	broken := errors.New("broken")
	for _, parts := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		for n := range len(said) + 5 {
			a := attemptOf(parts(strings.NewReader(said)))
			seen := a.Peek(n)
			require.Equal(t, said[:min(n, len(said))], string(seen))
			for i := range seen {
				seen[i] = 'x' // changes nothing, because it is a copy
			}
			require.Equal(t, said[:min(n+3, len(said))], string(a.Peek(n+3)), "a second Peek")
			all, err := io.ReadAll(a.Response.Body)
			require.NoError(t, err)
			require.Equal(t, said, string(all))

			a = attemptOf(parts(io.MultiReader(strings.NewReader(said), iotest.ErrReader(broken))))
			require.Equal(t, said[:min(n, len(said))], string(a.Peek(n)))
			all, err = io.ReadAll(a.Response.Body)
			require.Equal(t, broken, err)
			require.Equal(t, said, string(all))
		}
	}
	require.Nil(t, ratehttp.Attempt{}.Peek(5))
	require.Nil(t, ratehttp.Attempt{Response: &http.Response{Body: http.NoBody}}.Peek(5))
	switched := attemptOf(strings.NewReader("x"))
	switched.Response.StatusCode = 101
	require.Nil(t, switched.Peek(5))
	require.PanicsWithValue(t, "oops", func() { attemptOf(panics{}).Peek(5) })
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("oops") }

// TestH66_PeekIsBounded checks that Peek ends after a second, and with the context. Later bytes are not lost.
func TestH66_PeekIsBounded(t *testing.T) {
	for _, limit := range []time.Duration{300 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe()
			a := attemptOf(r)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			a.Request = request(t, "GET", "http://example.com/", "").WithContext(ctx)
			go func() { _, _ = io.WriteString(w, "early ") }()
			started := time.Now()
			require.Equal(t, "early ", string(a.Peek(100)))
			require.Equal(t, min(limit, time.Second), time.Since(started))
			go func() {
				_, _ = io.WriteString(w, "late")
				_ = w.Close()
			}()
			all, err := io.ReadAll(a.Response.Body)
			require.NoError(t, err)
			require.Equal(t, "early late", string(all))
		})
	}
}

// TestH66_PeekAtWhatNeverComes checks that a refusal ends, and so does its connection, if its body stalls while Classify peeks at it.
func TestH66_PeekAtWhatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		requests := 0
		base := served(t, func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests > 1 {
				return
			}
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(429)
			_, _ = io.WriteString(w, "too many")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(closed)
		})
		s := open(t, scheduler.Config{MaxInFlight: 1})
		var seen []string
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: base, Classify: func(a ratehttp.Attempt) retry.Verdict {
			seen = append(seen, string(a.Peek(100)))
			return a.Verdict()
		}})
		res, err := c.Get("http://example.com/")
		require.Empty(t, text(t, res, err))
		<-closed
		require.Equal(t, []string{"too many", ""}, seen)
		idle(t, s, nil)
	})
}

// TestPeekAtEverything peeks at more bytes than there is memory for.
func TestPeekAtEverything(t *testing.T) {
	for _, n := range []int{1 << 20, math.MaxInt} {
		res := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(strings.Repeat("word ", 10_000)))}
		require.Len(t, ratehttp.Attempt{Response: res}.Peek(n), 50_000)
		all, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Len(t, all, 50_000)
	}
}
