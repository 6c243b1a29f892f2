package clocktest

import (
	"testing"
	"testing/synctest"
)

// Run runs f as a test inside a testing/synctest bubble, with a mock that knows
// it: when [Mock.Add] returns, everything that was due has happened, in
// whichever goroutine.
//
// What holds for [synctest.Test] holds here. Inside f, t.Run, t.Parallel and
// t.Deadline are not available. Channels that f waits on must be made in f. Whatever f
// starts must end with it: close schedulers, cancel contexts, and let no
// goroutine wait for a mock that nobody moves any more, or the test binary dies
// with "deadlock" and the stacks of those that remain. t.Context ends by itself,
// before the functions given to t.Cleanup run.
//
// Real time does not pass in the bubble, and the time of package time is not
// the mock's: use the mock to sleep and for deadlines.
func Run(t *testing.T, f func(t *testing.T, mock *Mock)) {
	t.Helper()
	mock := newMock(synctest.Wait) // out here, for it sleeps a millisecond
	synctest.Test(t, func(t *testing.T) { f(t, mock) })
}
