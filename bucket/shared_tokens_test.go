package bucket_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// sold lists the tokens of a budget that were sold and not given back, by the instants at which they become valid, and
// what limits allow until then.
type sold struct {
	valid   []int64            // in order
	of      map[string][]int64 // by process
	limits  []inForce
	charged int64 // tokens that were spent without having been bought
}

// inForce is a limit, when it came into force, and how many tokens had come until then.
type inForce struct {
	from int64
	rate *big.Rat // tokens in a microsecond
	had  *big.Rat
}

// most returns how many tokens may be valid at an instant. After a new limit, those that had been sold ahead become
// valid as they would have by the limit before.
func (s *sold) most(at int64) *big.Rat {
	best := new(big.Rat)
	for _, l := range s.limits {
		come := new(big.Rat).Mul(l.rate, big.NewRat(max(0, at-l.from), 1))
		best = maxOf(best, come.Add(come, l.had))
	}
	return best
}

// setLimit notes that another limit comes into force.
func (s *sold) setLimit(now int64, l bucket.Limit) {
	had := new(big.Rat)
	if n := len(s.limits); n > 0 {
		last := s.limits[n-1]
		had.Add(last.had, new(big.Rat).Mul(last.rate, big.NewRat(max(0, now-last.from), 1)))
		now = max(now, last.from)
	}
	s.limits = append(s.limits, inForce{now, big.NewRat(l.Refill, l.Per.Microseconds()), had})
}

// add notes a sale.
func (s *sold) add(process string, now int64, a bucket.Answer) (added []int64) {
	for k := int64(1); k <= a.Tokens; k++ {
		units := (k-a.Level)*a.Per - a.Part
		at := now + max(0, (units+a.Refill-1)/a.Refill)
		added = append(added, at)
		i, _ := slices.BinarySearch(s.valid, at)
		s.valid = slices.Insert(s.valid, i, at)
	}
	s.of[process] = append(s.of[process], added...)
	return added
}

// giveBack takes n tokens of a process off the list.
func (s *sold) giveBack(r *rand.Rand, process string, n int64) {
	for range n {
		mine := s.of[process]
		i := r.IntN(len(mine))
		j, _ := slices.BinarySearch(s.valid, mine[i])
		s.valid = slices.Delete(s.valid, j, j+1)
		s.of[process] = slices.Delete(mine, i, i+1)
	}
}

// require checks the bound at every instant. Tokens that were charged before the latest sale count, too.
func (s *sold) require(t *testing.T, added []int64) {
	for i, at := range s.valid {
		n := int64(i) + 1
		if slices.Contains(added, at) {
			n += s.charged
		}
		if len(added) == 0 || at < added[0] || i+1 < len(s.valid) && s.valid[i+1] == at {
			continue // nothing is new there, or the next one counts
		}
		require.LessOrEqual(t, new(big.Rat).SetInt64(n).Cmp(s.most(at)), 0, "%d tokens are valid at %d µs, of %v", n, at, s.most(at))
	}
}

// TestSharedBound: the tokens that were sold, were not given back and are valid are never more than the limit lets
// come, at any instant, through holds, new limits and charges.
func TestSharedBound(t *testing.T) {
	total := 0
	for seed := range uint64(20) {
		total += testSharedBound(t, rand.New(rand.NewPCG(seed, 3)))
	}
	require.Greater(t, total, 2000, "tokens were sold")
}

func testSharedBound(t *testing.T, r *rand.Rand) int {
	draw := func() bucket.Limit {
		return bucket.Limit{Capacity: 1 + r.Int64N(20), Refill: 1 + r.Int64N(50), Per: time.Duration(1+r.IntN(2000)) * time.Millisecond}
	}
	limit, version := draw(), int64(1)
	s := sold{of: map[string][]int64{}}
	var store bucket.Shared
	first := store.Exchange("run", 0, bucket.Ask{Process: "p0", Seq: 1, Limit: limit})
	now := bucket.LearnTime.Microseconds()
	s.setLimit(now, limit)
	for seq := uint64(2); seq < 120; seq++ {
		now += r.Int64N(300_000)
		p := fmt.Sprint("p", r.IntN(4))
		a := bucket.Ask{Process: p, Seq: seq, Want: r.Int64N(30), Least: r.Int64N(limit.Capacity + 1), Epoch: first.Epoch, Limit: limit, Version: version}
		if n := len(s.of[p]); n > 0 && r.IntN(3) == 0 {
			a.Back = r.Int64N(int64(n) + 1)
		}
		switch r.IntN(30) {
		case 0:
			a.Hold = time.Duration(r.IntN(2000)) * time.Millisecond
		case 1:
			limit, version = draw(), version+1
			a.Limit, a.Version = limit, version
			s.setLimit(now, limit)
		case 2:
			a.Charge = r.Int64N(5)
		case 3:
			a.HasRemaining, a.Remaining = true, r.Int64N(5)
		}
		s.giveBack(r, p, a.Back)
		s.charged += a.Charge
		s.require(t, s.add(p, now, store.Exchange("run", now, a)))
	}
	return len(s.valid)
}
