package clocktest

import (
	"testing"
	"testing/synctest"
)

// Run runs f as a test in a testing/synctest bubble. When [Mock.Add] returns, everything that was
// due has happened, on all goroutines of the bubble.
//
// The rules of [synctest.Test] hold. In f, t.Run, t.Parallel and t.Deadline are not available. f must
// make the channels that it waits on. All goroutines must end with f, so close schedulers and cancel
// contexts. If a goroutine still waits for the mock, the test panics with "deadlock" and the stacks
// of the goroutines that remain. t.Context ends by itself, before the functions of t.Cleanup run.
//
// Real time does not pass in the bubble, and package time does not see the mock's time. Use the mock
// to sleep and for deadlines.
func Run(t *testing.T, f func(t *testing.T, mock *Mock)) {
	t.Helper()
	mock := newMock(synctest.Wait) // outside the bubble, because it sleeps a millisecond
	synctest.Test(t, func(t *testing.T) { f(t, mock) })
}
