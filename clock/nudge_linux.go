package clock

import (
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// In an idle process a Go timer is up to a millisecond late: the thread that waits
// for it sleeps in epoll_wait, which counts in whole milliseconds
// (golang/go#53824). So for a short wait the kernel is asked to end that sleep: by
// a timerfd, in the runtime's own epoll set, that expires right after the Go timer
// is due. Nobody reads it. That it became ready wakes the thread, and a thread that
// wakes looks at the timers.
//
// The tick is the Go timer's in any case. An alarm that is missing costs a
// millisecond, one that goes off for nothing costs a wake-up, and neither is
// visible otherwise: Stop has nothing to undo, and there is no goroutine to end.

const (
	// shortWait is how long a wait may be to get an alarm. What is won is the same
	// for all; of a longer one it is less than a hundredth.
	shortWait = 100 * time.Millisecond

	// alarmPace is how soon an alarm goes off, at the least. Whoever is due every few
	// microseconds would burn a core in waking up, and does better to do more each time.
	alarmPace = 100 * time.Microsecond

	// mostAlarms is how many file descriptors the process spends on this, however
	// many timers it has. Where many wait, some thread is seldom far from awake.
	mostAlarms = 8
)

// alarm is a timerfd. The timers of the process share a few, which are opened when
// first needed and then kept. A timer has one until the instant for which it set it,
// so nobody has to give one back.
type alarm struct {
	until  atomic.Int64 // when it is free for another timer, in ns since origin
	opened sync.Once
	fd     uintptr
	file   *os.File // what holds fd in the epoll set; nil if it could not be had
}

var (
	alarms [mostAlarms]alarm
	origin = time.Now()
)

// nudge is what a timer knows of its alarm.
type nudge struct {
	alarm *alarm
	until int64 // what it wrote into the alarm: whoever took it since wrote a later instant
}

// after wakes a thread that sleeps, when the Go timer that is due d from now is, if an
// alarm is to be had.
func (n *nudge) after(d time.Duration) {
	if d <= 0 || d > shortWait {
		return
	}
	now := time.Now()
	if now == now.Round(0) {
		// No monotonic reading: this is a testing/synctest bubble, whose time is not
		// the kernel's. There the Go timer alone is exact. Were a later Go to give
		// bubbles one, alarms would be lost to the tests of that process, no more.
		return
	}
	since, wait := int64(now.Sub(origin)), max(d, alarmPace)
	due, until := since+int64(d), since+int64(wait)
	if !n.has(due, until) && n.take(since, until) {
		n.alarm.set(wait)
	}
}

// has reports whether this timer's alarm goes off in that span as it is: to set it
// is a system call, ten times what the Go timer's Reset costs.
func (n *nudge) has(from, to int64) bool {
	return from <= n.until && n.until <= to && n.alarm.until.Load() == n.until
}

// take makes an alarm this timer's, the one it has or else a free one.
func (n *nudge) take(now, until int64) bool {
	if n.alarm != nil && n.alarm.until.CompareAndSwap(n.until, until) {
		n.until = until
		return true
	}
	for i := range alarms {
		a := &alarms[i]
		if old := a.until.Load(); old < now && a.until.CompareAndSwap(old, until) {
			n.alarm, n.until = a, until
			return true
		}
	}
	return false
}

// set makes the alarm go off d from now and not before. The kernel reads its clock
// after the Go timer was set, so that one is due by then.
func (a *alarm) set(d time.Duration) {
	a.opened.Do(func() { a.open(clockMonotonic) })
	if a.file == nil {
		return
	}
	spec := [2]syscall.Timespec{1: syscall.NsecToTimespec(int64(d))} // no interval
	_, _, _ = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, a.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

const clockMonotonic = 1 // CLOCK_MONOTONIC, which Go's timers run on

// open gets the timerfd. If that fails the alarm is never free again, and its timers
// are plain ones.
func (a *alarm) open(clockID uintptr) {
	const flags = syscall.O_NONBLOCK | syscall.O_CLOEXEC // the values of TFD_NONBLOCK and TFD_CLOEXEC
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockID, flags, 0)
	if errno != 0 {
		a.until.Store(math.MaxInt64)
		return
	}
	a.fd, a.file = fd, os.NewFile(fd, "timerfd") // non-blocking, so NewFile puts it into the epoll set
}
