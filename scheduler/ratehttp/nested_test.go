package ratehttp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestRequestInsideACall checks that a request inside a call of the same scheduler, with the call's context, does not wait for the
// slot of that call.
func TestRequestInsideACall(t *testing.T) {
	srv := answers(t, "200")
	s := open(t, scheduler.Config{MaxInFlight: 1})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	h, err := s.Submit(t.Context(), func(ctx context.Context) error {
		res, err := c.Do(request(t, "GET", srv.URL, "").WithContext(ctx))
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	})
	require.NoError(t, err)
	<-h.Done()
	require.ErrorAs(t, h.Err(), new(*scheduler.DeadlockError))
	res, err := c.Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err), "the scheduler still works")
	idle(t, s, nil)
}
