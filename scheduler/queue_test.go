package scheduler

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// TestQueueAgainstModel checks that the counted tree does what a sorted slice does.
func TestQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []*coreCall
		var lastID uint64
		push := func(c *coreCall) {
			q.push(c)
			at, _ := slices.BinarySearchFunc(model, c, byRank)
			model = slices.Insert(model, at, c)
		}
		arrive := func() {
			lastID++
			c := &coreCall{id: lastID, rank: time.Duration(lastID), cost: rapid.Int64Range(0, 9).Draw(t, "cost"), deadline: bucket.Forever}
			if rapid.IntRange(0, 3).Draw(t, "has a deadline") == 0 {
				c.deadline = time.Duration(rapid.IntRange(0, 500).Draw(t, "deadline"))
			}
			if rapid.IntRange(0, 3).Draw(t, "has priority") == 0 {
				c.rank -= time.Duration(rapid.IntRange(-500, 500).Draw(t, "steps"))
			}
			push(c)
		}
		remove := func(i int) {
			q.remove(model[i])
			model = slices.Delete(model, i, i+1)
		}
		t.Repeat(map[string]func(*rapid.T){
			"arrive": func(t *rapid.T) { arrive() },
			"arrive in numbers": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, fan / 2, fan, 3 * fan, fan*fan + fan}).Draw(t, "n") {
					lastID++
					push(&coreCall{id: lastID, rank: time.Duration(lastID), cost: int64(lastID % 7), deadline: bucket.Forever})
				}
			},
			"come back with seniority": func(t *rapid.T) {
				rank := time.Duration(rapid.Uint64Range(0, lastID).Draw(t, "rank"))
				for range rapid.SampledFrom([]int{1, 3, fan}).Draw(t, "n") {
					lastID++
					push(&coreCall{id: lastID, rank: rank, cost: 3, attempts: 1, deadline: rank})
				}
			},
			"serve": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 2*fan).Draw(t, "n")) {
					remove(0)
				}
			},
			"cancel": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, fan).Draw(t, "n")) {
					remove(rapid.IntRange(0, len(model)-1).Draw(t, "i"))
				}
			},
			"cancel most": func(t *rapid.T) {
				keep := rapid.IntRange(2, 30).Draw(t, "keep one in")
				for i := len(model) - 1; i >= 0; i-- {
					if i%keep != 0 {
						q.remove(model[i])
					}
				}
				kept := model[:0]
				for i, c := range model {
					if i%keep == 0 {
						kept = append(kept, c)
					}
				}
				model = kept
			},
			"": func(t *rapid.T) { requireQueue(t, model, &q) },
		})
	})
}

// requireQueue checks the tree's order, counts and prefix sums, and that no node is empty or
// unlinked.
func requireQueue(t *rapid.T, model []*coreCall, q *queue) {
	require.Equal(t, len(model), q.len())
	requireLate(t, model, q)
	if len(model) == 0 {
		require.Nil(t, q.head())
		require.Nil(t, q.lastNeverGranted())
		require.Equal(t, noCalls, q.all())
		return
	}
	require.Same(t, model[0], q.head())
	var last *coreCall
	for _, c := range model {
		if c.attempts == 0 {
			last = c
		}
	}
	if last != q.lastNeverGranted() {
		t.Fatalf("the last call that was never granted")
	}
	stride := 1 + len(model)/50
	var cost int64
	for i, c := range model {
		if i%stride == 0 || i == len(model)-1 {
			ahead := q.ahead(c)
			require.Equal(t, i, ahead.count)
			require.Equal(t, cost, ahead.cost[0])
			newcomer := q.ahead(&coreCall{rank: c.rank, id: c.id + 1})
			require.Equal(t, i+1, newcomer.count, "for a call that is not in the queue")
		}
		cost += c.cost
	}
	require.Equal(t, cost, q.all().cost[0])
	var order []*coreCall
	var walk func(n *node)
	walk = func(n *node) {
		require.Positive(t, n.count)
		require.Equal(t, q.sum(n), n.aggregate)
		for _, kid := range n.kids.get() {
			require.Same(t, n, kid.parent)
			walk(kid)
		}
		for _, c := range n.calls.get() {
			if c.leaf != n {
				t.Fatalf("call %d is in another leaf than it says", c.id)
			}
			order = append(order, c)
		}
	}
	walk(q.root)
	require.True(t, slices.Equal(model, order), "order")
}

// Costs may add up to more than an int64 holds. Calls behind them still rank last, and the sums are
// right again when the calls leave.
func TestQueueOfHugeCosts(t *testing.T) {
	var q queue
	var calls []*coreCall
	for i := range uint64(3 * fan) {
		c := &coreCall{id: i + 1, cost: math.MaxInt64 / 2, deadline: bucket.Forever}
		calls = append(calls, c)
		q.push(c)
	}
	last := &coreCall{id: 1000, cost: 7, deadline: bucket.Forever}
	q.push(last)
	require.Equal(t, int64(math.MaxInt64/2), q.ahead(calls[1]).cost[0])
	require.Equal(t, int64(math.MaxInt64), q.ahead(calls[5]).cost[0])
	require.Equal(t, int64(math.MaxInt64), q.ahead(last).cost[0])
	for i, c := range calls[:len(calls)-1] {
		q.remove(c)
		require.Equal(t, q.sum(q.root), q.all(), "after %d", i+1)
	}
	require.Equal(t, int64(math.MaxInt64/2), q.ahead(last).cost[0])
	require.Equal(t, int64(math.MaxInt64/2+7), q.all().cost[0])
}

// requireLate checks which calls come too late if one token comes every nanosecond.
func requireLate(t *rapid.T, model []*coreCall, q *queue) {
	var want []uint64
	cost := int64(0)
	for _, c := range model {
		if time.Duration(cost+c.cost) > c.deadline {
			want = append(want, c.id)
		} else {
			cost += c.cost
		}
	}
	var got []uint64
	for _, c := range q.late(func(cost *costs) time.Duration { return time.Duration(cost[0]) }) {
		got = append(got, c.id)
	}
	require.Equal(t, want, got, "late")
}

// TestH37_CanceledLeaveTheQueue checks that the nodes go when most of a long queue is canceled.
func TestH37_CanceledLeaveTheQueue(t *testing.T) {
	const n = 100_000
	var q queue
	calls := make([]*coreCall, n)
	for i := range calls {
		calls[i] = &coreCall{id: uint64(i), cost: 1, deadline: bucket.Forever}
		q.push(calls[i])
	}
	for i, c := range calls {
		if i%10 != 0 {
			q.remove(c)
		}
	}
	require.Equal(t, n/10, q.len())
	leaves := map[*node]bool{}
	for i := 0; i < n; i += 10 {
		leaves[calls[i].leaf] = true
	}
	require.Less(t, len(leaves), n/10/(fan/8), "leaves that hold the remaining tenth")
}

// TestQueueMergesSparseLeaves checks that a leaf with a quarter of its calls left joins the one
// before if both fill at most half a leaf.
func TestQueueMergesSparseLeaves(t *testing.T) {
	for _, c := range []struct {
		left, right int
		merged      bool
	}{
		{fan/2 - 1, 1, true}, {fan / 2, 1, false}, {fan / 4, fan / 4, true}, {fan / 8, fan/4 + 1, false}, {fan/2 + 1, fan / 4, false},
	} {
		var q queue
		calls := make([]*coreCall, 2*fan)
		for i := range calls {
			calls[i] = &coreCall{id: uint64(i), deadline: bucket.Forever}
			q.push(calls[i])
		}
		left, right := calls[:fan], calls[fan:]
		for _, c := range slices.Concat(right[c.right+1:], left[c.left:], right[c.right:c.right+1]) {
			q.remove(c)
		}
		require.Equal(t, c.merged, left[0].leaf == right[0].leaf, "%d and %d", c.left, c.right)
		require.Equal(t, c.left+c.right, q.len())
	}
}

// TestQueueReusesItsMemory checks that a queue in a steady state allocates nothing.
func TestQueueReusesItsMemory(t *testing.T) {
	for _, length := range []int{0, 1, 10, 1000} {
		var q queue
		calls := make([]*coreCall, length+1)
		for i := range calls {
			calls[i] = &coreCall{id: uint64(i), cost: 1, deadline: bucket.Forever}
			q.push(calls[i])
		}
		next := uint64(len(calls))
		allocs := testing.AllocsPerRun(5*fan, func() {
			c := q.head()
			q.remove(c)
			c.id = next
			next++
			q.push(c)
		})
		require.Zero(t, allocs, "queue of %d", length)
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, length := range []int{1, 1000, 1_000_000} {
		b.Run(strconv.Itoa(length), func(b *testing.B) {
			var q queue
			next := uint64(0)
			for range length {
				q.push(&coreCall{id: next, cost: 1, deadline: bucket.Forever})
				next++
			}
			b.ReportAllocs()
			for b.Loop() {
				c := q.head()
				q.remove(c)
				c.id = next
				next++
				q.push(c)
			}
		})
	}
}

// TestBackoffAgainstModel checks that the heap returns calls in order of due time, then seniority.
func TestBackoffAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h backoff
		var model []*coreCall
		order := func(a, b *coreCall) int {
			return cmp.Or(cmp.Compare(a.detail.due, b.detail.due), cmp.Compare(a.id, b.id))
		}
		id := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "n") {
					id++
					c := &coreCall{id: id, detail: &callDetail{due: time.Duration(rapid.IntRange(0, 20).Draw(t, "due"))}}
					h.push(c)
					model = append(model, c)
				}
				slices.SortFunc(model, order)
			},
			"pop": func(t *rapid.T) {
				if len(model) > 0 {
					require.Same(t, model[0], h.pop())
					model = model[1:]
				}
			},
			"remove": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 10).Draw(t, "n")) {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
					h.remove(model[i])
					model = slices.Delete(model, i, i+1)
				}
			},
			"": func(t *rapid.T) {
				require.Len(t, h, len(model))
				for i := range h {
					require.EqualValues(t, i, h[i].call.detail.index)
					require.False(t, i > 0 && h[i].before(&h[(i-1)/4]), "no call is due before its parent")
				}
				if len(model) > 0 {
					require.Equal(t, model[0].detail.due, h.next())
				}
			},
		})
	})
}
