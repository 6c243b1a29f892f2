package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// TestLimitsThatAreGone opens a file with fewer limits than before. The calls don't pay what is gone, and are made.
func TestLimitsThatAreGone(t *testing.T) {
	second, fast := bucket.PerSecond(1), bucket.PerSecond(1000)
	both := scheduler.Config{Limits: bucket.Limits{"tokens": second.Burst(9), "requests": fast}, PerKey: scheduler.PerKey{Limits: bucket.Limits{"own": fast}}}
	for name, cfg := range map[string]scheduler.Config{
		"one of two": {Limits: bucket.Limits{"requests": fast}}, "one without a name": {Limit: fast}, "more": {Limits: bucket.Limits{"tokens": second, "requests": fast, "third": fast}},
		"one of each key": {Limit: fast, PerKey: scheduler.PerKey{Limits: bucket.Limits{"tokens": fast}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l, first := newLife(t, dir, both), errors.New("failed")
				l.cfg.Handlers["dead"] = func(context.Context, []byte) error {
					err := first
					first = nil
					return err
				}
				l.end()
				l.begin()
				l.submit(Call{ID: "a", Key: "k", NotBefore: l.start.Add(time.Minute)})
				l.submit(Call{ID: "b", NotBefore: l.start.Add(time.Minute)})
				_, err := l.j.Submit(t.Context(), Call{ID: "dead", Handler: "dead", Key: "k"})
				require.NoError(t, err)
				require.ErrorContains(t, l.wait("dead", time.Second), "failed")
				l.end()
				l.cfg.Scheduler = cfg
				l.begin()
				require.NoError(t, l.j.Again(t.Context(), "dead"))
				for _, id := range []string{"dead", "a", "b"} {
					require.NoError(t, l.wait(id, 2*time.Minute))
				}
				l.end()
			})
		})
	}
}
