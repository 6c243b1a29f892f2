package clock

import (
	"sync/atomic"
	"time"
)

// AfterFunc calls f on a goroutine of its own when d has passed on c, or at once if d is zero or less.
// Calling stop keeps f from being called and returns true, unless f was called or stop was called before.
//
// While AfterFunc waits it takes no goroutine, if c is [System] or [Plain], or has a method
// AfterFunc(time.Duration, func()) (stop func() bool) as clocktest's Mock. On other clocks it takes one
// until the timer ticks or stop is called.
func AfterFunc(c Clock, d time.Duration, f func()) (stop func() bool) {
	if c, ok := c.(interface {
		AfterFunc(d time.Duration, f func()) (stop func() bool)
	}); ok {
		return c.AfterFunc(d, f)
	}
	var over atomic.Bool
	timer, stopped := c.NewTimer(d), make(chan struct{})
	go func() {
		select {
		case <-timer.C():
			if !over.Swap(true) {
				f()
			}
		case <-stopped:
			timer.Stop()
		}
	}()
	return func() bool {
		if over.Swap(true) {
			return false
		}
		close(stopped)
		return true
	}
}
