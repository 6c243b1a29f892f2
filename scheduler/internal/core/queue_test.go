package core

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
		var model []*Call
		var lastID uint64
		push := func(c *Call) {
			q.push(c)
			at, _ := slices.BinarySearchFunc(model, c, byRank)
			model = slices.Insert(model, at, c)
		}
		arrive := func() {
			lastID++
			c := &Call{ID: lastID, Rank: time.Duration(lastID), Cost: rapid.Int64Range(0, 9).Draw(t, "cost"), Deadline: bucket.Forever}
			if rapid.IntRange(0, 3).Draw(t, "has a deadline") == 0 {
				c.Deadline = time.Duration(rapid.IntRange(0, 500).Draw(t, "deadline"))
			}
			if rapid.IntRange(0, 3).Draw(t, "has priority") == 0 {
				c.Rank -= time.Duration(rapid.IntRange(-500, 500).Draw(t, "steps"))
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
					push(&Call{ID: lastID, Rank: time.Duration(lastID), Cost: int64(lastID % 7), Deadline: bucket.Forever})
				}
			},
			"come back with seniority": func(t *rapid.T) {
				rank := time.Duration(rapid.Uint64Range(0, lastID).Draw(t, "rank"))
				for range rapid.SampledFrom([]int{1, 3, fan}).Draw(t, "n") {
					lastID++
					push(&Call{ID: lastID, Rank: rank, Cost: 3, Attempts: 1, Deadline: rank})
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
func requireQueue(t *rapid.T, model []*Call, q *queue) {
	require.Equal(t, len(model), q.len())
	requireLate(t, model, q)
	if len(model) == 0 {
		require.Nil(t, q.head())
		require.Nil(t, q.lastNeverGranted())
		require.Equal(t, noCalls, q.all())
		return
	}
	require.Same(t, model[0], q.head())
	var last *Call
	for _, c := range model {
		if c.Attempts == 0 {
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
			newcomer := q.ahead(&Call{Rank: c.Rank, ID: c.ID + 1})
			require.Equal(t, i+1, newcomer.count, "for a call that is not in the queue")
		}
		cost += c.Cost
	}
	require.Equal(t, cost, q.all().cost[0])
	var order []*Call
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
				t.Fatalf("call %d is in another leaf than it says", c.ID)
			}
			order = append(order, c)
		}
	}
	if q.root == nil {
		require.LessOrEqual(t, len(q.few), fewCalls)
		order = q.few
	} else {
		require.Empty(t, q.few)
		walk(q.root)
	}
	require.True(t, slices.Equal(model, order), "order")
}

// Costs may add up to more than an int64 holds. Calls behind them still rank last, and the sums are
// right again when the calls leave.
func TestQueueOfHugeCosts(t *testing.T) {
	var q queue
	var calls []*Call
	for i := range uint64(3 * fan) {
		c := &Call{ID: i + 1, Cost: math.MaxInt64 / 2, Deadline: bucket.Forever}
		calls = append(calls, c)
		q.push(c)
	}
	last := &Call{ID: 1000, Cost: 7, Deadline: bucket.Forever}
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
func requireLate(t *rapid.T, model []*Call, q *queue) {
	var want []uint64
	cost := int64(0)
	for _, c := range model {
		if time.Duration(cost+c.Cost) > c.Deadline {
			want = append(want, c.ID)
		} else {
			cost += c.Cost
		}
	}
	var got []uint64
	for _, c := range q.late(func(cost *Costs) time.Duration { return time.Duration(cost[0]) }) {
		got = append(got, c.ID)
	}
	require.Equal(t, want, got, "late")
}

// TestH37_CanceledLeaveTheQueue checks that the nodes go when most of a long queue is canceled.
func TestH37_CanceledLeaveTheQueue(t *testing.T) {
	const n = 100_000
	var q queue
	calls := make([]*Call, n)
	for i := range calls {
		calls[i] = &Call{ID: uint64(i), Cost: 1, Deadline: bucket.Forever}
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
		calls := make([]*Call, 2*fan)
		for i := range calls {
			calls[i] = &Call{ID: uint64(i), Deadline: bucket.Forever}
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
		calls := make([]*Call, length+1)
		for i := range calls {
			calls[i] = &Call{ID: uint64(i), Cost: 1, Deadline: bucket.Forever}
			q.push(calls[i])
		}
		next := uint64(len(calls))
		allocs := testing.AllocsPerRun(5*fan, func() {
			c := q.head()
			q.remove(c)
			c.ID = next
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
				q.push(&Call{ID: next, Cost: 1, Deadline: bucket.Forever})
				next++
			}
			b.ReportAllocs()
			for b.Loop() {
				c := q.head()
				q.remove(c)
				c.ID = next
				next++
				q.push(c)
			}
		})
	}
}

// TestBackoffAgainstModel checks that the heap returns calls in order of due time, then seniority.
func TestBackoffAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h dueHeap
		var model []*Call
		order := func(a, b *Call) int {
			return cmp.Or(cmp.Compare(a.detail.due, b.detail.due), cmp.Compare(a.ID, b.ID))
		}
		id := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "n") {
					id++
					c := &Call{ID: id, detail: &detail{due: time.Duration(rapid.IntRange(0, 20).Draw(t, "due"))}}
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
					require.EqualValues(t, i, h[i].value.detail.index)
					require.False(t, i > 0 && h[i].before(&h[(i-1)/4]), "no call is due before its parent")
				}
				if len(model) > 0 {
					require.Equal(t, model[0].detail.due, h.next())
				}
			},
		})
	})
}
