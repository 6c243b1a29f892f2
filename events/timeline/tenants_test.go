package timeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// tenants returns the events of three tenants in virtual time. Globex has twelve calls at once. Acme has one each second,
// and initech two, the first of which a server answers with a wait that holds only initech.
func tenants(t *testing.T) (list []events.Event) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{
			Limit: bucket.PerSecond(2).Burst(2), MaxInFlight: 3, Retry: retry.Policy{MaxRetries: 2, Initial: 600 * time.Millisecond, Seed: 1},
		})
		require.NoError(t, err)
		sub := s.Subscribe(events.All)
		submit := func(tenant string, n int, first error) {
			_, err := s.Submit(t.Context(), func(context.Context) error {
				time.Sleep(time.Duration(260+40*n) * time.Millisecond)
				err := first
				first = nil
				return err
			}, scheduler.Key(tenant), scheduler.Name(fmt.Sprint("page ", n)))
			require.NoError(t, err)
		}
		for i := range 12 {
			submit("globex", i+1, nil)
		}
		for i := range 5 {
			time.Sleep(900 * time.Millisecond)
			submit("acme", i+1, nil)
			if i < 2 {
				wait := retry.After(errors.New("429 Too Many Requests"), 3*time.Second)
				if i > 0 {
					wait = nil
				}
				submit("initech", i+1, wait)
			}
		}
		require.NoError(t, s.WaitIdle(t.Context()))
		s.Close()
		for ev := range sub.C {
			list = append(list, ev)
		}
	})
	return list
}

// TestPictureOfTenants checks the picture of calls with keys.
func TestPictureOfTenants(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, timelineOf(tenants(t)...).WriteSVG(&b))
	const file = "testdata/tenants.svg"
	if *rewrite {
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "if that is right: go test ./events/timeline -run Picture -rewrite")
}
