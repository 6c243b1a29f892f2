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

// leaveAlarms makes all alarms but the first few look taken by others until the test ends.
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

// takenUntil returns until when each alarm is taken.
func takenUntil() (until [mostAlarms]int64) {
	for i := range alarms {
		until[i] = alarms[i].until.Load()
	}
	return until
}

// ticks reports whether there is a tick, and receives it. (The length of such a channel is
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
	<-System().NewTimer(time.Microsecond).C() // opens what the runtime keeps, too
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	files := openFiles(t)
	timers := make([]Timer, mostAlarms+more)
	for i := range timers {
		timers[i] = System().NewTimer(shortWait)
	}
	require.LessOrEqual(t, openFiles(t), files+mostAlarms-1, "an alarm is more than one file, or there are too many")
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
		require.NoError(t, a.file.SetReadDeadline(start.Add(time.Hour)), "the runtime does not poll it")
		var count [8]byte
		_, err := a.file.Read(count[:])
		require.NoError(t, err)
		require.EqualValues(t, 1, binary.NativeEndian.Uint64(count[:]))
		require.GreaterOrEqual(t, time.Since(start), d)
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, a.fd, syscall.F_GETFD, 0)
	require.Zero(t, errno)
	require.NotZero(t, flags&syscall.FD_CLOEXEC, "programs that are started inherit it")
	require.NoError(t, a.file.Close())
}

func TestTimerSetsItsAlarm(t *testing.T) {
	leaveAlarms(t, 1)
	a := &alarms[0]
	timer := System().NewTimer(shortWait)
	defer timer.Stop()
	for _, d := range []time.Duration{1, time.Millisecond} {
		a.set(time.Hour) // also takes back that it went off before
		earliest := time.Since(origin) + max(d, alarmPace)
		timer.Reset(d)
		require.GreaterOrEqual(t, a.until.Load(), int64(earliest))
		require.NoError(t, a.file.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err := a.file.Read(make([]byte, 8))
		require.NoError(t, err, "it does not go off")
		require.GreaterOrEqual(t, time.Since(origin), earliest)
		require.True(t, ticks(timer), "it went off before the timer was due")
	}
}

func TestAlarmIsSharedInTurns(t *testing.T) {
	leaveAlarms(t, 2)
	var a, b, c nudge
	require.True(t, a.take(10, 100))
	require.True(t, b.take(10, 100))
	require.NotSame(t, a.alarm, b.alarm)
	require.False(t, c.take(99, 300), "took what is in use")

	require.True(t, a.has(50, 100))
	require.False(t, a.has(101, 200), "it goes off too early")
	require.False(t, a.has(50, 99), "it goes off too late")
	require.False(t, c.has(50, 100), "it has none")

	first := a.alarm
	require.True(t, a.take(50, 400), "lost its alarm to itself")
	require.True(t, a.take(60, 90))
	require.Same(t, first, a.alarm)

	require.True(t, c.take(91, 300), "what is over is not in use")
	require.Same(t, first, c.alarm)
	require.False(t, a.has(50, 90), "another has it")
	require.False(t, a.take(92, 93), "took back what another has")
	require.True(t, a.take(101, 200))
	require.Same(t, b.alarm, a.alarm)
	require.False(t, b.take(110, 120))
}

// A timer without an alarm is a plain one.
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
		require.Equal(t, int64(math.MaxInt64), a.until.Load(), "others would take it")
		require.Equal(t, files, openFiles(t))
	})
}

func TestOnlyShortWaitsInRealTimeTakeAnAlarm(t *testing.T) {
	leaveAlarms(t, mostAlarms)
	outside := System().NewTimer(shortWait) // one that already has an alarm, set too late for what follows
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
	for _, d := range []time.Duration{0, -1, math.MinInt64, shortWait + 1, math.MaxInt64} {
		outside.Reset(d)
		require.Equal(t, free, takenUntil(), "an alarm for %v", d)
	}
	outside.Reset(shortWait)
	require.NotEqual(t, free, takenUntil())
	outside.Stop()
}
