package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api accepts the latest token that it gave out, for 3 s, and answers in 1 s.
type api struct {
	mu       sync.Mutex
	good     bool // whether its tokens are accepted at all
	given    int
	expires  time.Time
	requests int
	refused  int
}

func (a *api) fetch(context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given++
	a.expires = time.Now().Add(3 * time.Second)
	return fmt.Sprint("token ", a.given), nil
}

func (a *api) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a.mu.Lock()
	a.requests++
	latest := req.Header.Get("Authorization") == fmt.Sprint("Bearer token ", a.given)
	ok := a.good && latest && time.Now().Before(a.expires)
	if !ok {
		a.refused++
	}
	a.mu.Unlock()
	time.Sleep(time.Second)
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// run posts 60 requests, 10 at a time, and returns how many were answered.
func run(t *testing.T, a *api, fetch func(context.Context) (string, error)) (answered int, errs []error, spent int64) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(100), MaxInFlight: 10})
		require.NoError(t, err)
		defer s.Close()
		client := (&Source{Base: wire.Serve(t, a), Fetch: fetch}).Client(s)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				res, err := client.Post("http://api/", "text/plain", strings.NewReader("order"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, err)
					return
				}
				defer res.Body.Close()
				if res.StatusCode == http.StatusOK {
					answered++
				}
			})
		}
		all.Wait()
		spent = s.Snapshot().Ledger.Spent
	})
	return answered, errs, spent
}

// TestExpires checks that all requests are answered although tokens expire, that each new token is fetched once, and
// that each attempt pays.
func TestExpires(t *testing.T) {
	a := &api{good: true}
	answered, errs, spent := run(t, a, a.fetch)
	require.Empty(t, errs)
	require.Equal(t, 60, answered)
	require.Equal(t, 2, a.given, "the first token is good for 30 requests")
	require.Positive(t, a.refused)
	require.Equal(t, 60+a.refused, a.requests)
	require.LessOrEqual(t, a.refused, 10*(a.given-1), "those that were in flight when a token expired")
	require.EqualValues(t, a.requests, spent)
}

// TestWrongAccount checks that a token that never works is not fetched again.
func TestWrongAccount(t *testing.T) {
	a := &api{}
	answered, errs, _ := run(t, a, a.fetch)
	require.Empty(t, errs)
	require.Zero(t, answered)
	require.Equal(t, 1, a.given)
	require.Equal(t, 60, a.requests, "none is sent again")
}

// TestNoToken checks that a failed fetch is the request's error.
func TestNoToken(t *testing.T) {
	locked := errors.New("the account is locked")
	_, errs, _ := run(t, &api{}, func(context.Context) (string, error) { return "", locked })
	require.Len(t, errs, 60)
	require.ErrorIs(t, errs[0], locked)
}
