package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestTokensAreLinearizable checks that concurrent operations on the tokens have an order that
// explains their results. They take tokens from the lease or by the owner, give some back, or read
// the level (B2, exactness; B4, paid attempts).
func TestTokensAreLinearizable(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for name, game := range map[string]tokenGame{
		"one cell": {tokens: 20, scale: 1},
		"cells":    {tokens: 300, scale: 50, cells: true},
	} {
		t.Run(name, func(t *testing.T) {
			fast := uint64(0)
			for range 200 {
				seed := rand.Uint64()
				history, taken := game.play(t, seed)
				if fast += taken; !linearizable(history, game.tokens) {
					var b strings.Builder
					for _, op := range history {
						fmt.Fprintf(&b, "%+v\n", op)
					}
					t.Fatalf("with seed %d, no order explains this:\n%s", seed, b.String())
				}
			}
			require.NotZero(t, fast, "no call took the fast path")
		})
	}
}

// TestLinearizable checks the search for an order.
func TestLinearizable(t *testing.T) {
	for name, c := range map[string]struct {
		history []tokenOp
		want    bool
	}{
		"one after the other": {[]tokenOp{{change: -3, began: 1, ended: 2}, {sees: 2, looks: true, began: 3, ended: 4}}, true},
		"not seen":            {[]tokenOp{{change: -3, began: 1, ended: 2}, {sees: 5, looks: true, began: 3, ended: 4}}, false},
		"at the same time":    {[]tokenOp{{change: -3, began: 1, ended: 4}, {sees: 5, looks: true, began: 2, ended: 3}}, true},
		"seen, and then not":  {[]tokenOp{{change: -3, began: 1, ended: 6}, {sees: 2, looks: true, began: 2, ended: 3}, {sees: 5, looks: true, began: 4, ended: 5}}, false},
		"too many":            {[]tokenOp{{change: -3, began: 1, ended: 4}, {change: -3, began: 2, ended: 3}}, false},
		"refused for nothing": {[]tokenOp{{refused: 5, began: 1, ended: 2}}, false},
		"refused":             {[]tokenOp{{refused: 5, began: 1, ended: 4}, {change: -1, began: 2, ended: 3}}, true},
		"given back":          {[]tokenOp{{change: -5, began: 1, ended: 2}, {change: 5, began: 3, ended: 6}, {change: -5, began: 4, ended: 5}}, true},
	} {
		require.Equal(t, c.want, linearizable(c.history, 5), name)
	}
}

// tokenOp is an operation on the tokens, and the instants between which it happened.
type tokenOp struct {
	change       int64 // taken (negative) or given back
	refused      int64 // so many tokens were missing
	looks        bool
	sees         int64
	began, ended int64
}

// linearizable reports whether the operations have an order that explains their results. An
// operation comes after all that ended before it began.
func linearizable(history []tokenOp, level int64) bool {
	type position struct{ done, level uint64 }
	seen := map[position]bool{}
	var search func(done uint64, level int64) bool
	search = func(done uint64, level int64) bool {
		at := position{done, uint64(level)}
		if done == 1<<len(history)-1 || seen[at] {
			return !seen[at]
		}
		seen[at] = true
		first := int64(1 << 62) // what began after the first end is not next
		for i, op := range history {
			if done>>i&1 == 0 {
				first = min(first, op.ended)
			}
		}
		for i, op := range history {
			possible := level+op.change >= 0 && (op.refused == 0 || level < op.refused) && (!op.looks || level == op.sees)
			if done>>i&1 == 0 && op.began < first && possible && search(done|1<<i, level+op.change) {
				return true
			}
		}
		return false
	}
	return search(0, level)
}

// player does operations one after the other and records them.
type player struct {
	s       *Scheduler
	scale   int64
	now     *atomic.Int64 // advances by one at each reading
	rnd     *rand.Rand
	history []tokenOp
	err     error
}

// tokenGame describes a bucket without refill that several players use.
type tokenGame struct {
	tokens int64
	scale  int64 // tokens of a step of a cost
	cells  bool  // the lease is spread over cells
}

// play has the players use the bucket. It returns what they did, and how many calls took the fast
// path.
func (g tokenGame) play(t *testing.T, seed uint64) (history []tokenOp, byFastPath uint64) {
	const players, each = 4, 7 // 28 steps of at most two operations, whose set fits into 64 bits
	used := int64(leaseArrivals)
	if g.cells {
		used *= 2
	}
	s, err := New(Config{Limit: bucket.Per(1, 100*365*24*time.Hour).Burst(g.tokens + used)})
	require.NoError(t, err)
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // so that a call without tokens fails at once
	defer cancel()
	for range used / leaseArrivals {
		s.Snapshot() // ends the lease
		for range leaseArrivals {
			require.NoError(t, s.Do(ctx, succeed))
		}
		s.Sync()
		if g.cells {
			s.fast.cells[0].clashes.Add(manyClashes + 1)
		}
	}
	var now atomic.Int64
	var all [players]player
	var wg sync.WaitGroup
	for i := range all {
		p := &all[i]
		*p = player{s: s, scale: g.scale, now: &now, rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(func() {
			for range each {
				p.play(ctx)
			}
		})
	}
	wg.Wait()
	for _, p := range all {
		history = append(history, p.history...)
		require.NoError(t, p.err)
	}
	return history, uint64(inCells(s, taken))
}

// play does one operation, most often a plain call.
func (p *player) play(ctx context.Context) {
	cost := p.scale * (1 + p.rnd.Int64N(4))
	yield := func(context.Context) error { delay(p.rnd); return nil }
	switch p.rnd.IntN(16) {
	case 0, 1:
		p.note(func(op *tokenOp) { op.looks, op.sees = true, p.s.Snapshot().Available })
	case 2:
		p.take(cost, func() error { return p.s.Do(ctx, yield, Cost(cost), NoWait()) })
	case 3:
		var r *Reservation
		p.take(cost, func() (err error) { r, err = p.s.Reserve(ctx, Cost(cost), NoWait()); return err })
		if r != nil {
			p.note(func(op *tokenOp) {
				op.change = cost
				r.Cancel() // it does not wait
				p.s.Sync()
			})
		}
	default:
		p.take(1, func() error { return p.s.Do(ctx, yield) })
	}
}

// note does an operation and records it with the instants before and after.
func (p *player) note(do func(*tokenOp)) {
	op := tokenOp{began: p.now.Add(1)}
	do(&op)
	op.ended = p.now.Add(1)
	p.history = append(p.history, op)
}

func (p *player) take(cost int64, do func() error) {
	p.note(func(op *tokenOp) {
		if err := do(); err != nil {
			op.refused = cost
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrWouldWait) {
				p.err = errors.Join(p.err, err)
			}
		} else {
			op.change = -cost
		}
	})
}
