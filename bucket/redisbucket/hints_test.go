package redisbucket_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket/redisbucket/internal/redistest"
	"example.com/fairlead/retry"
)

// TestHoldReachesAll: a server asks one process to wait. Once Redis knows it, it sells nothing, and all processes go on when
// the wait is over.
func TestHoldReachesAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const ahead, wait = 200 * time.Millisecond, 2 * time.Second
	f := redistest.NewFleet(t, ahead, newStore(t, server), newStore(t, server), newStore(t, server))
	f.Await(200, 0)
	refused := f.RefuseNext(retry.After(errors.New("too many requests"), wait))
	for server.Do("HGET", "fairlead:{test}", "heldUntil") == "0" {
		time.Sleep(5 * time.Millisecond)
	}
	held := f.Now()
	f.Await(200, refused+wait)
	calls := f.Close()

	first, _ := slices.BinarySearch(calls, refused)
	next, _ := slices.BinarySearch(calls, refused+wait)
	t.Logf("Redis knew %v after the refusal; %d calls started during the wait, the last after %v", held-refused, next-first, calls[next-1]-refused)
	require.Zero(t, redistest.OverPause(calls, held, refused+wait, 1, ahead))
}
