package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// TestKeepForOfAnIdleJournal submits one ID again and again, when nothing else is committed. It is a new call once KeepFor
// is over.
func TestKeepForOfAnIdleJournal(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		for range 3 {
			l.submit(Call{ID: "nightly"})
			require.NoError(t, l.wait("nightly", time.Second))
			time.Sleep(time.Hour)
			l.submit(Call{ID: "nightly"})
			synctest.Wait()
			time.Sleep(time.Nanosecond)
			require.ErrorIs(t, l.wait("nightly", time.Second), ErrUnknown)
			l.end()
			l.begin()
		}
		require.Equal(t, []string{"0s nightly attempt 1", "1h0m0.000000001s nightly attempt 1", "2h0m0.000000002s nightly attempt 1"}, l.trace)
		l.end()
	})
}

// TestPayloadIsTheJournals checks that a caller may change its payload when Submit has returned, also if the call is in doubt.
func TestPayloadIsTheJournals(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.Handlers["echo"] = func(ctx context.Context, payload []byte) error { return Result(ctx, payload) }
		l.end()
		l.begin()
		l.slowCommits()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		payload := []byte("17 EUR")
		_, err := l.j.Submit(ctx, Call{ID: "x", Handler: "echo", Payload: payload})
		require.ErrorIs(t, err, ErrInDoubt)
		copy(payload, "99")
		result, err := l.j.Wait(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "17 EUR", string(result))
		l.end()
	})
}

// TestWaitOfACallThatIsForgottenAtOnce waits for calls that are no longer known when their ends are on disk. Wait has their
// outcomes all the same.
func TestWaitOfACallThatIsForgottenAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.KeepFor = 500 * time.Millisecond
		l.cfg.Handlers["echo"] = func(ctx context.Context, payload []byte) error { return Result(ctx, payload) }
		l.end()
		l.begin()
		l.slowCommits()
		for _, want := range []string{"hello", ""} {
			id, err := l.j.Submit(t.Context(), Call{Handler: "echo", Payload: []byte(want)})
			require.NoError(t, err)
			result, err := l.j.Wait(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, []byte(want), result)
			_, err = l.j.Wait(t.Context(), id)
			require.ErrorIs(t, err, ErrUnknown)
		}
		l.end()
	})
}
