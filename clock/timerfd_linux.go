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

// In an idle process a Go timer is up to a millisecond late. The thread that waits for it sleeps in
// epoll_wait, which counts whole milliseconds (golang/go#53824). So a short wait also sets an alarm,
// a timerfd in the runtime's epoll set that expires right after the Go timer is due. It is never
// read. When it expires, the thread wakes up and runs the timers that are due.
//
// The tick always comes from the Go timer. Without an alarm the tick is a millisecond late, and an
// alarm that is not needed costs one wake-up. So Stop need not clear the alarm, and no goroutine is
// left to end.

const (
	// maxWait is the longest wait that gets an alarm. In a longer wait, a late millisecond is less
	// than 1 %.
	maxWait = 100 * time.Millisecond

	// minAlarm is the shortest time after which an alarm expires. Otherwise a timer that is due
	// every few microseconds would keep a core busy with wake-ups.
	minAlarm = 100 * time.Microsecond

	// maxAlarms is how many file descriptors the process uses for alarms. With more timers than
	// that, some thread is usually awake.
	maxAlarms = 8
)

// alarm is a timerfd. All timers of the process share a few alarms, which are opened when first
// needed and then kept. An alarm belongs to one timer until the instant for which it is set, so a
// timer does not have to release it.
type alarm struct {
	until  atomic.Int64 // when it is free for another timer, in ns since origin
	opened sync.Once
	fd     uintptr
	file   *os.File // keeps fd in the epoll set; nil if opening failed
}

var (
	alarms [maxAlarms]alarm
	origin = time.Now()
)

// alarmUse is a timer's use of an alarm.
type alarmUse struct {
	alarm *alarm
	until int64 // the instant that this timer wrote; another one in the alarm means another timer has it
}

// wakeAfter sets a free alarm, if there is one, for a Go timer that is due d from now.
func (u *alarmUse) wakeAfter(d time.Duration) {
	if d <= 0 || d > maxWait {
		return
	}
	now := time.Now()
	if now == now.Round(0) {
		// There is no monotonic reading, so this is a testing/synctest bubble. Its time is not
		// the kernel's, and there a Go timer is exact.
		return
	}
	since, wait := int64(now.Sub(origin)), max(d, minAlarm)
	due, until := since+int64(d), since+int64(wait)
	if !u.expiresBetween(due, until) && u.take(since, until) {
		u.alarm.set(wait)
	}
}

// expiresBetween reports whether this timer's alarm is set for an instant of that span already.
// Setting it again would be a system call, which costs ten times a Go timer's Reset.
func (u *alarmUse) expiresBetween(from, to int64) bool {
	return from <= u.until && u.until <= to && u.alarm.until.Load() == u.until
}

// take keeps this timer's alarm, or else takes a free one, until the given instant. It reports
// whether it got one.
func (u *alarmUse) take(now, until int64) bool {
	if u.alarm != nil && u.alarm.until.CompareAndSwap(u.until, until) {
		u.until = until
		return true
	}
	for i := range alarms {
		a := &alarms[i]
		if old := a.until.Load(); old < now && a.until.CompareAndSwap(old, until) {
			u.alarm, u.until = a, until
			return true
		}
	}
	return false
}

// set makes the alarm expire d from now. The kernel reads its clock after the Go timer was set, so
// the Go timer is due by then.
func (a *alarm) set(d time.Duration) {
	a.opened.Do(func() { a.open(clockMonotonic) })
	if a.file == nil {
		return
	}
	spec := [2]syscall.Timespec{1: syscall.NsecToTimespec(int64(d))} // no interval
	_, _, _ = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, a.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

const clockMonotonic = 1 // CLOCK_MONOTONIC, which Go's timers run on

// open opens the timerfd. If that fails, the alarm never becomes free again, and timers do without
// it.
func (a *alarm) open(clockID uintptr) {
	const flags = syscall.O_NONBLOCK | syscall.O_CLOEXEC // the values of TFD_NONBLOCK and TFD_CLOEXEC
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockID, flags, 0)
	if errno != 0 {
		a.until.Store(math.MaxInt64)
		return
	}
	a.fd, a.file = fd, os.NewFile(fd, "timerfd") // non-blocking, so NewFile puts it into the epoll set
}
