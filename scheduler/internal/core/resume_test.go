package core

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestNumbers compares the numbers of new and resumed calls with a set of them, in random orders (C19, numbers).
func TestNumbers(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		spread := 1 + rnd.Uint64N(200)
		k, err := New(Config{Limits: bucket.Limits{"": {}}, LastID: rnd.Uint64N(2) * rnd.Uint64N(spread)})
		require.NoError(t, err)
		had := map[uint64]bool{}
		for range 200 {
			c := &Call{Cost: 1, Deadline: bucket.Forever}
			want := k.LastID + 1
			if rnd.IntN(3) > 0 {
				want = 1 + rnd.Uint64N(spread)
				c.Resume(&Past{State: Queued, Number: want, Arrived: bucket.Forever})
			}
			k.Submit(0, c)
			require.Equal(t, had[want], c.ID == 0, "seed %d: %d of %+v", seed, want, k.numbers)
			if c.ID != 0 {
				require.Equal(t, want, c.ID)
			}
			had[want] = true
		}
		for number := range k.LastID + 2 {
			require.Equal(t, had[number], k.numbers.taken(number, k.LastID), "seed %d: %d of %+v", seed, number, k.numbers)
		}
		require.LessOrEqual(t, len(k.numbers.resumed), int(spread/64+1))
	}
}

// TestArrivedSaturates checks that no rank and priority make an arrival or a rank overflow (C18, resumed; H118).
func TestArrivedSaturates(t *testing.T) {
	instants := []time.Duration{math.MinInt64, -bucket.Forever, -bucket.Forever + time.Hour, longAgo, -time.Hour, 0, time.Hour, bucket.Forever - 1, bucket.Forever}
	priorities := []int{math.MinInt, -1 << 30, -1, 0, 1, 1 << 30, math.MaxInt}
	for _, step := range []time.Duration{1, time.Minute, bucket.Forever / 2, bucket.Forever} {
		for _, now := range []time.Duration{0, time.Hour, bucket.Forever / 4} {
			k, err := New(Config{Limits: bucket.Limits{"": {Capacity: 1, Refill: 1, Per: time.Hour}}, Levels: map[string]bucket.State{"": {}}, PriorityStep: step})
			require.NoError(t, err)
			for _, rank := range instants {
				for i, was := range priorities {
					arrived := Arrived(rank, was, step)
					require.GreaterOrEqual(t, arrived, longAgo)
					if i > 0 {
						require.GreaterOrEqual(t, arrived, Arrived(rank, priorities[i-1], step), "with a higher priority it came later")
					}
					for _, is := range priorities {
						c := prior(is)
						c.Deadline = bucket.Forever
						c.Resume(&Past{State: BackingOff, Arrived: arrived, Attempts: 1, Began: rank, Due: rank})
						k.Submit(now, c)
						require.Equal(t, rank > k.Now, c.Due() > k.Now)
						require.LessOrEqual(t, c.Due(), k.Now+2*time.Minute+5*time.Second)
						if is == 0 {
							require.Equal(t, min(arrived, k.Now), c.Rank)
						}
						k.Cancel(now, c, errFailed)
						require.GreaterOrEqual(t, c.Times().Total(), time.Duration(0))
					}
				}
			}
		}
	}
}

// resumed returns a call with an earlier life that a core has taken up at ten seconds.
func resumed(t *testing.T, level int64, deadline time.Duration, p *Past) *Call {
	k, err := New(Config{Limits: bucket.Limits{"": {Capacity: 1, Refill: 1, Per: time.Minute}}, Levels: map[string]bucket.State{"": {Tokens: level}}})
	require.NoError(t, err)
	c := &Call{Cost: 1, Deadline: deadline}
	c.Resume(p)
	k.Submit(10*time.Second, c)
	return c
}

// TestResumedKeepsItsPast checks what a call still has of its earlier life when it is taken up (C18, resumed).
func TestResumedKeepsItsPast(t *testing.T) {
	c := resumed(t, 1, bucket.Forever, &Past{State: Queued, Arrived: -5 * time.Second, Paid: 7, Began: bucket.Forever})
	require.Equal(t, Running, c.State)
	require.Equal(t, 15*time.Second, c.Times().Total(), "it has waited since it arrived")
	require.EqualValues(t, 8, c.Paid(), "attempts that did not count have paid 7")

	c = resumed(t, 0, bucket.Forever, &Past{State: Queued, Arrived: -5 * time.Second, Began: bucket.Forever})
	require.Equal(t, -5*time.Second, c.Since(), "it has been queued since then")

	c = resumed(t, 0, bucket.Forever, &Past{State: Queued, Arrived: -5 * time.Second, Attempts: 1, Began: -4 * time.Second})
	require.Equal(t, 10*time.Second, c.Since(), "it is queued again for its second attempt")

	c = resumed(t, 1, bucket.Forever, &Past{State: Running, Arrived: -5 * time.Second, Began: -3 * time.Second})
	began, known := c.Began()
	require.True(t, known)
	require.Equal(t, -3*time.Second, began, "its first attempt is made again, and began then")

	c = resumed(t, 1, 50*time.Second, &Past{State: BackingOff, Arrived: -5 * time.Second, Attempts: 1, Began: -4 * time.Second, Due: time.Minute})
	require.Equal(t, Ended, c.State)
	early := c.Err().(*Early)
	require.Equal(t, TooLate, early.Reason)
	require.Equal(t, 50*time.Second, early.Wait, "until its backoff would end")
}
