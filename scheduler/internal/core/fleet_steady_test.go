package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// steady returns a fleet of processes that always have calls queued, and in which nothing goes wrong. It has sold
// tokens for some seconds.
func steady(t *testing.T, procs int, rate, capacity int64) *fleet {
	t.Helper()
	f := newFleetOf(1, rand.New(rand.NewPCG(1, 1)), fleetProfile{
		procs: procs, rate: rate, capacity: capacity, cost: 1, width: int(min(max(2, rate), 1000)), latency: 500 * time.Microsecond, ppm: 100, length: time.Hour, pace: time.Second,
	})
	f.runUntil(20 * time.Second)
	require.Nil(t, f.failed)
	return f
}

// TestFleetIsFullyUsed checks that processes with queued calls get the whole rate at any capacity, in turn, with few
// exchanges (F3, F16).
func TestFleetIsFullyUsed(t *testing.T) {
	for _, tt := range []struct {
		procs          int
		rate, capacity int64
		perThousand    float64 // exchanges
	}{
		{1, 1, 1, 1000}, {1, 1000, 1, 12}, {1, 1000, 1000, 12}, {4, 1000, 1, 12}, {8, 1000, 1000, 12}, {8, 3000, 1, 12}, {4, 100, 1, 40}, {8, 20, 20, 400}, {8, 12, 1, 667}, {8, 1, 1, 8000},
	} {
		t.Run(fmt.Sprintf("%d processes, %d a second, capacity %d", tt.procs, tt.rate, tt.capacity), func(t *testing.T) {
			f := steady(t, tt.procs, tt.rate, tt.capacity)
			from, asked, each := f.check.granted, f.store.asked, make([]int64, tt.procs)
			for i, p := range f.procs {
				each[i] = p.granted
			}
			d := max(10*time.Second, 100*time.Second/time.Duration(tt.rate))
			f.runUntil(f.now + d)
			granted := f.check.granted - from
			used := float64(granted) / (float64(tt.rate) * d.Seconds())
			exchanges := 1000 * float64(f.store.asked-asked) / float64(granted)
			assert.GreaterOrEqual(t, used, 0.99)
			assert.LessOrEqual(t, exchanges, tt.perThousand)
			least, most := granted, int64(0)
			for i, p := range f.procs {
				n := p.granted - each[i]
				least, most = min(least, n), max(most, n)
			}
			assert.LessOrEqual(t, float64(most-least), 1+0.1*float64(granted)/float64(tt.procs), "the processes have the same")
			t.Logf("%.4f of the rate, %.1f exchanges for 1000 grants, a process has %d to %d", used, exchanges, least, most)
		})
	}
}

// TestFleetLoneCall checks that a lone call waits for no longer than tokens are sold ahead and some exchanges take,
// while the other processes have as many calls as they like (F16).
func TestFleetLoneCall(t *testing.T) {
	for _, ahead := range []time.Duration{100 * time.Millisecond, time.Second} {
		f := newFleetOf(1, rand.New(rand.NewPCG(1, 1)), fleetProfile{
			procs: 4, rate: 1000, capacity: 10, cost: 1, width: 1000, ahead: ahead, latency: 2 * time.Millisecond, length: time.Hour, pace: time.Second,
		})
		f.runUntil(10 * time.Second)
		f.p.width = 0
		lone := f.start()
		f.runUntil(f.now)
		lone.demand = trickles
		longest := time.Duration(0)
		for range 20 {
			f.runUntil(f.now + 3*time.Second + time.Duration(f.rnd.Int64N(int64(time.Second))))
			c := &Call{Cost: 1, Deadline: bucket.Forever}
			lone.turn(func(now time.Duration) { lone.k.Submit(now, c) })
			from := f.now
			for lone.granted == 0 {
				f.step()
			}
			longest, lone.granted = max(longest, f.now-from), 0
		}
		t.Logf("ahead %v: a lone call waits for at most %v", ahead, longest)
		assert.LessOrEqual(t, longest, ahead+2*6*time.Millisecond)
	}
}

// TestFleetIdle checks that processes without calls ask nothing.
func TestFleetIdle(t *testing.T) {
	f := steady(t, 3, 100, 10)
	f.calmDown()
	f.runUntil(f.now + 30*time.Second)
	require.Zero(t, f.procs[0].k.queued)
	asked := f.store.asked
	f.runUntil(f.now + time.Hour)
	assert.Equal(t, asked, f.store.asked)
	for _, p := range f.procs {
		assert.Empty(t, p.k.Budgets[p.i].stock.purchases)
	}
}
