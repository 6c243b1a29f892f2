package scheduler

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A call whose message comes at the end of the turn that finds all others ended is waited for (C11).
func TestIdleLooksAtTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		hold, idle, h := make(chan struct{}), make(chan struct{}), &Handle{s: s}
		fn := func(context.Context) error { <-hold; return nil }
		require.NoError(t, s.prepare(h.init(), t.Context(), fn, nil))
		askAfter(s, func(o *owner) bool {
			o.idles = append(o.idles, idle)
			s.inbox <- message{op: opSubmit, call: &h.call}
			return true
		})
		synctest.Wait()
		select {
		case <-idle:
			t.Fatal("a call was about to be accepted")
		default:
		}
		close(hold)
		<-idle
		require.True(t, h.ended())
	})
}
