package clocktest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
)

var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func TestMockStartsWhereABubbleDoes(t *testing.T) {
	require.Equal(t, epoch, clocktest.NewMock().Now())
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		require.Equal(t, epoch, mock.Now())
		require.True(t, mock.Now().Equal(time.Now()))
	})
}

func TestMockMovesWhenTold(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		time.Sleep(time.Hour)
		require.Equal(t, epoch, mock.Now(), "a bubble's time is not the mock's")
		mock.Add(time.Hour)
		mock.Add(0)
		require.Equal(t, epoch.Add(time.Hour), mock.Now())
		mock.Set(epoch.Add(2 * time.Hour))
		mock.Set(epoch.Add(2 * time.Hour))
		require.Equal(t, epoch.Add(2*time.Hour), mock.Now())
		require.Equal(t, "mock clock at 2000-01-01T02:00:00Z", fmt.Sprint(mock))
	})
}

func TestMockAddZeroWaits(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		done := false
		go func() { done = true }()
		mock.Add(0)
		require.True(t, done)
	})
}

func TestMockGoesBackOnlyWhenAskedTo(t *testing.T) {
	mock := clocktest.NewMock()
	cases := []struct {
		name string
		do   func()
		want string
	}{
		{"Add", func() { mock.Add(-1) }, "clocktest: Add(-1ns) would move the clock back: use Rewind for that"},
		{"Set", func() { mock.Set(epoch.Add(-1)) }, "clocktest: Set(1999-12-31 23:59:59.999999999 +0000 UTC) would move the clock back " +
			"from 2000-01-01 00:00:00 +0000 UTC: use Rewind for that"},
		{"Rewind", func() { mock.Rewind(-1) }, "clocktest: Rewind(-1ns) would move the clock forward: use Add for that"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			require.PanicsWithValue(t, tc.want, tc.do)
			require.Equal(t, epoch, mock.Now())
		})
	}
}

func TestMockRewindKeepsDeadlines(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		timer := mock.NewTimer(time.Second)
		mock.Rewind(time.Hour)
		require.Equal(t, epoch.Add(-time.Hour), mock.Now())
		mock.Add(time.Hour)
		requireQuiet(t, timer)
		mock.Add(time.Second)
		requireTick(t, timer, epoch.Add(time.Second))
	})
}

func TestMockSleep(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		mock.Sleep(0)
		mock.Sleep(-time.Hour)
		var woken time.Time
		go func() { mock.Sleep(time.Hour); woken = mock.Now() }()
		mock.Add(time.Hour - 1)
		require.Zero(t, woken)
		mock.Add(time.Hour)
		require.Equal(t, epoch.Add(time.Hour), woken)
	})
}

func TestMockIsMovedByOneAtATime(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		var got any
		go func() {
			defer func() { got = recover() }()
			mock.Sleep(time.Second)
			mock.Add(time.Second) // the Add that ended the sleep is still running
		}()
		mock.Add(time.Minute)
		require.Equal(t, "clocktest: a Mock is being moved by two goroutines at the same time", got)
		require.Equal(t, epoch.Add(time.Minute), mock.Now())
		mock.Add(time.Minute)
	})
}

func TestMockSharesItsTimeLineWithBenbjohnson(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		theirs := mock.Benbjohnson()
		require.Equal(t, mock.Now(), theirs.Now())
		var woken time.Time
		go func() { theirs.Sleep(time.Second); woken = mock.Now() }()
		mock.Add(time.Minute)
		require.Equal(t, epoch.Add(time.Second), woken)
	})
}

func TestFromNil(t *testing.T) {
	require.PanicsWithValue(t, "clocktest: From(nil)", func() { clocktest.From(nil) })
}

// TestNewMockInABubble checks that a mock made by NewMock works in a bubble if the test waits before
// and after Add.
func TestNewMockInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		woken := false
		go func() { mock.Sleep(time.Second); woken = true }()
		synctest.Wait()
		mock.Add(time.Second)
		synctest.Wait()
		require.True(t, woken)
	})
}
