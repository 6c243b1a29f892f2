package failfast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get returns a function that fetches a page. A 401 is fatal, and a 404 is an error of that page alone.
func get(client *http.Client, running *atomic.Int64) func(context.Context, int) (string, error) {
	return func(ctx context.Context, page int) (string, error) {
		running.Add(1)
		defer running.Add(-1)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprint("http://server/", page), nil)
		if err != nil {
			return "", err
		}
		res, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			return res.Status, nil
		case http.StatusUnauthorized:
			return "", Fatal{errors.New(res.Status)}
		}
		return "", errors.New(res.Status)
	}
}

// run fetches 1000 pages, 4 at a time, from a server that answers in 1 s and takes the key for so many requests.
func run(t *testing.T, ctx context.Context, good int64) (asked int64, results map[int]error, err error) {
	var seen, running atomic.Int64
	client := &http.Client{Transport: wire.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := seen.Add(1)
		select {
		case <-time.After(time.Second):
		case <-req.Context().Done():
		}
		switch {
		case n > good:
			w.WriteHeader(http.StatusUnauthorized)
		case req.URL.Path == "/7":
			w.WriteHeader(http.StatusNotFound)
		}
	}))}
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(100), MaxInFlight: 4, Classify: retry.Network})
	require.NoError(t, err)
	defer s.Close()
	results = map[int]error{}
	pages := make([]int, 1000)
	for i := range pages {
		pages[i] = i
	}
	err = Each(ctx, s, slices.Values(pages), get(client, &running),
		func(res scheduler.Result[int, string]) { results[res.Index] = res.Err })
	require.Zero(t, running.Load(), "all functions have returned")
	return seen.Load(), results, err
}

// TestFatal checks that at most MaxInFlight calls start after the first one that is fatal, and that the error of one
// page alone stops nothing.
func TestFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, results, err := run(t, t.Context(), 40)
		require.ErrorAs(t, err, &Fatal{})
		require.ErrorContains(t, err, "401 Unauthorized")
		require.LessOrEqual(t, asked, int64(40+4+4))
		require.Len(t, results, 40, "all that were answered before have their results")
		require.EqualError(t, results[7], "404 Not Found")
	})
}

// TestCanceled checks that a canceled context is the error of the whole.
func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Second/2)
		defer cancel()
		asked, _, err := run(t, ctx, 1000)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, asked, int64(44))
	})
}
