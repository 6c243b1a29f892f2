package core

import (
	"math/bits"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// dueLane is a lane as an entry of lanes.deadlines.
type dueLane struct{ *lane }

func (l dueLane) setIndex(i int) { l.waiting.dueIndex = int32(i) }

// dueLanes are lanes whose queued calls cost about the same, up to a factor of two. So one key with many
// calls does not make those with few look as if they might be late.
type dueLanes struct {
	heap[dueLane]       // by the earliest deadline
	most          Costs // at least what the queued calls of any one of them cost together
}

// note notes what the queued calls of a lane cost together, in n budgets.
func (d *dueLanes) note(l *lane, n int) {
	cost := l.waiting.all().cost
	for i := range n {
		d.most[i] = max(d.most[i], cost[i])
	}
}

// noteDeadline notes the earliest deadline of a lane's queued calls, and what all of them cost.
func (k *Core) noteDeadline(l *lane) {
	s, w, all := &k.lanes, l.waiting, l.waiting.all()
	size := 0
	if all.deadline != bucket.Forever {
		size = bits.Len64(uint64(k.unitsOf(&all.cost)))
	}
	if w.dueIndex >= 0 && (size == 0 || size != int(l.size)) {
		s.deadlines[l.size].remove(int(w.dueIndex))
		w.dueIndex = -1
	}
	if size == 0 {
		return
	}
	for len(s.deadlines) <= size {
		s.deadlines = append(s.deadlines, dueLanes{})
	}
	d := &s.deadlines[size]
	d.note(l, len(k.Budgets))
	if e := (entry[dueLane]{first: all.deadline, value: dueLane{l}}); w.dueIndex < 0 {
		l.size = uint8(size)
		d.push(e)
	} else if d.heap[w.dueIndex].first != all.deadline {
		d.replace(int(w.dueIndex), e)
	}
}

// replan ends the queued calls whose turn will now come after their deadlines, since the budgets that all keys
// share have changed. Of the lanes of one size it looks only at those with a deadline before the instant at which
// the tokens for any one of them will be there. So a change is cheap if it makes no call late.
func (k *Core) replan() {
	if !k.keyed {
		k.endLateOf(k.plain.waiting.late(k.ready))
		return
	}
	var late []*Call
	for i := range k.lanes.deadlines {
		d := &k.lanes.deadlines[i]
		if latest := k.ready(&d.most); k.lateBefore(d.heap, 0, latest, &late) == len(d.heap) {
			d.most = Costs{} // all were looked at
			for _, e := range d.heap {
				d.note(e.value.lane, len(k.Budgets))
			}
		}
	}
	slices.SortFunc(late, byRank)
	k.endLateOf(late)
}

// lateBefore adds to late the calls that will be late. It looks at the i-th lane of the heap and those below it,
// as far as their first deadlines are before latest. It returns how many lanes it has looked at.
func (k *Core) lateBefore(h heap[dueLane], i int, latest time.Duration, late *[]*Call) (looked int) {
	if i >= len(h) || h[i].first >= latest {
		return 0
	}
	*late = append(*late, h[i].value.waiting.late(k.ready)...)
	looked = 1
	for child := 4*i + 1; child <= 4*i+4; child++ {
		looked += k.lateBefore(h, child, latest, late)
	}
	return looked
}

// replanAll does what replan does when a pause begins or ends, which also concerns the budgets of keys.
func (k *Core) replanAll() {
	if !k.keyed || len(k.perKeyBudgets) == 0 {
		k.replan()
		return
	}
	var late []*Call
	for i := range k.lanes.deadlines {
		for _, e := range k.lanes.deadlines[i].heap {
			late = append(late, k.lateIn(e.value.lane)...)
		}
	}
	slices.SortFunc(late, byRank)
	k.endLateOf(late)
}

// replanLane ends the queued calls of a lane that will now be late, since something of its key's own has changed.
func (k *Core) replanLane(l *lane) { k.endLateOf(k.lateIn(l)) }

// lateIn returns the queued calls of a lane whose turn will come after their deadlines.
func (k *Core) lateIn(l *lane) []*Call {
	return l.waiting.late(func(cost *Costs) time.Duration { return k.readyIn(l, cost) })
}

// endLateOf ends the given calls, except those that are not late any more because another one has ended.
func (k *Core) endLateOf(calls []*Call) {
	for _, c := range calls {
		if wait, late := k.late(c); late {
			k.leave(c)
			k.endTooLate(c, wait)
		}
	}
}
