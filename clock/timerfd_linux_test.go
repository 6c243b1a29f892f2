package clock

import (
	"encoding/binary"
	"math"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// leaveAlarms makes all alarms but the first few look taken until the test ends.
func leaveAlarms(t *testing.T, few int) {
	for i := range alarms {
		until := alarms[i].until.Load()
		alarms[i].until.Store(math.MaxInt64)
		if i < few {
			alarms[i].until.Store(0)
		}
		t.Cleanup(func() { alarms[i].until.Store(until) })
	}
}

// takenUntil returns the instant until which each alarm is taken.
func takenUntil() (until [maxAlarms]int64) {
	for i := range alarms {
		until[i] = alarms[i].until.Load()
	}
	return until
}

// ticks receives a tick and reports whether there was one. (The length of a Go timer's channel is
// always zero.)
func ticks(timer Timer) bool {
	select {
	case <-timer.C():
		return true
	default:
		return false
	}
}

func openFiles(t *testing.T) int {
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(files)
}

func TestTimersLeaveNothingBehind(t *testing.T) {
	const more = 20
	<-System().NewTimer(time.Microsecond).C() // also opens the files that the runtime keeps
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	files := openFiles(t)
	timers := make([]Timer, maxAlarms+more)
	for i := range timers {
		timers[i] = System().NewTimer(maxWait)
	}
	require.LessOrEqual(t, openFiles(t), files+maxAlarms-1, "an alarm uses more than one file, or there are too many alarms")
	files = openFiles(t)
	for range 3 {
		for _, timer := range timers {
			timer.Stop()
			timer.Reset(time.Millisecond)
			<-timer.C()
			timer.Stop()
		}
	}
	require.Equal(t, files, openFiles(t))
}

func TestAlarmGoesOff(t *testing.T) {
	const d = time.Millisecond
	a := new(alarm)
	for range 3 {
		start := time.Now()
		a.set(time.Hour)
		a.set(d)
		require.NoError(t, a.file.SetReadDeadline(start.Add(time.Hour)), "the runtime does not poll the alarm")
		var count [8]byte
		_, err := a.file.Read(count[:])
		require.NoError(t, err)
		require.EqualValues(t, 1, binary.NativeEndian.Uint64(count[:]))
		require.GreaterOrEqual(t, time.Since(start), d)
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, a.fd, syscall.F_GETFD, 0)
	require.Zero(t, errno)
	require.NotZero(t, flags&syscall.FD_CLOEXEC, "child processes inherit it")
	require.NoError(t, a.file.Close())
}

func TestTimerSetsItsAlarm(t *testing.T) {
	leaveAlarms(t, 1)
	a := &alarms[0]
	timer := System().NewTimer(maxWait)
	defer timer.Stop()
	for _, d := range []time.Duration{1, time.Millisecond} {
		a.set(time.Hour) // also clears an earlier expiry
		earliest := time.Since(origin) + max(d, minAlarm)
		timer.Reset(d)
		require.GreaterOrEqual(t, a.until.Load(), int64(earliest))
		require.NoError(t, a.file.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err := a.file.Read(make([]byte, 8))
		require.NoError(t, err, "the alarm does not expire")
		require.GreaterOrEqual(t, time.Since(origin), earliest)
		require.True(t, ticks(timer), "the alarm expired before the timer was due")
	}
}

func TestAlarmIsSharedInTurns(t *testing.T) {
	leaveAlarms(t, 2)
	var a, b, c alarmUse
	require.True(t, a.take(10, 100))
	require.True(t, b.take(10, 100))
	require.NotSame(t, a.alarm, b.alarm)
	require.False(t, c.take(99, 300), "took an alarm that is in use")

	require.True(t, a.expiresBetween(50, 100))
	require.False(t, a.expiresBetween(101, 200), "it expires too early")
	require.False(t, a.expiresBetween(50, 99), "it expires too late")
	require.False(t, c.expiresBetween(50, 100), "it has no alarm")

	first := a.alarm
	require.True(t, a.take(50, 400), "lost its own alarm")
	require.True(t, a.take(60, 90))
	require.Same(t, first, a.alarm)

	require.True(t, c.take(91, 300), "an expired alarm is free")
	require.Same(t, first, c.alarm)
	require.False(t, a.expiresBetween(50, 90), "another timer has it")
	require.False(t, a.take(92, 93), "took back an alarm that another timer has")
	require.True(t, a.take(101, 200))
	require.Same(t, b.alarm, a.alarm)
	require.False(t, b.take(110, 120))
}

// TestTimerWithoutAnAlarm checks that a timer works without an alarm.
func TestTimerWithoutAnAlarm(t *testing.T) {
	check := func(t *testing.T) {
		const d = time.Millisecond
		start := time.Now()
		timer := System().NewTimer(d)
		require.GreaterOrEqual(t, (<-timer.C()).Sub(start), d)
		timer.Reset(d)
		timer.Stop()
		timer.Reset(0)
		<-timer.C()
		require.False(t, ticks(timer))
	}
	t.Run("all are taken", func(t *testing.T) {
		leaveAlarms(t, 0)
		check(t)
	})
	t.Run("there is no timerfd", func(t *testing.T) {
		files := openFiles(t)
		a := new(alarm)
		a.opened.Do(func() { a.open(math.MaxInt32) }) // no such clock
		a.set(time.Millisecond)
		require.Nil(t, a.file)
		require.Equal(t, int64(math.MaxInt64), a.until.Load(), "other timers would take it")
		require.Equal(t, files, openFiles(t))
	})
}

func TestOnlyShortWaitsInRealTimeTakeAnAlarm(t *testing.T) {
	leaveAlarms(t, maxAlarms)
	outside := System().NewTimer(maxWait) // already has an alarm, which expires too late for the waits below
	free := takenUntil()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		timer := System().NewTimer(time.Millisecond)
		require.Equal(t, start.Add(time.Millisecond), <-timer.C())
		timer.Reset(time.Millisecond)
		timer.Stop()
		outside.Reset(time.Millisecond)
	})
	require.Equal(t, free, takenUntil(), "an alarm for a bubble")
	for _, d := range []time.Duration{0, -1, math.MinInt64, maxWait + 1, math.MaxInt64} {
		outside.Reset(d)
		require.Equal(t, free, takenUntil(), "an alarm for %v", d)
	}
	outside.Reset(maxWait)
	require.NotEqual(t, free, takenUntil())
	outside.Stop()
}

func TestPlainTimersTakeNoAlarm(t *testing.T) {
	leaveAlarms(t, maxAlarms)
	free := takenUntil()
	start := time.Now()
	timer := Plain().NewTimer(time.Millisecond)
	require.GreaterOrEqual(t, (<-timer.C()).Sub(start), time.Millisecond)
	timer.Reset(time.Millisecond)
	<-timer.C()
	require.Equal(t, free, takenUntil())
}
