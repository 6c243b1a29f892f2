package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// dueLane is a lane as an entry of lanes.deadlines.
type dueLane struct{ *lane }

func (l dueLane) setIndex(i int) { l.waiting.dueIndex = int32(i) }

// noteDeadline notes the earliest deadline of a lane's queued calls, and what all of them cost.
func (k *Core) noteDeadline(l *lane) {
	s, all := &k.lanes, l.waiting.all()
	w := l.waiting
	if all.deadline == bucket.Forever {
		if w.dueIndex >= 0 {
			s.deadlines.remove(int(w.dueIndex))
			w.dueIndex = -1
		}
		return
	}
	for i := range k.Budgets {
		s.mostCost[i] = max(s.mostCost[i], all.cost[i])
	}
	if e := (entry[dueLane]{first: all.deadline, value: dueLane{l}}); w.dueIndex < 0 {
		s.deadlines.push(e)
	} else if s.deadlines[w.dueIndex].first != all.deadline {
		s.deadlines.replace(int(w.dueIndex), e)
	}
}

// replan ends the queued calls whose turn will now come after their deadlines, since the budgets that all keys
// share have changed. It looks only at lanes with a deadline before the instant at which the tokens for any one
// lane will be there. So a change is cheap if it makes no call late.
func (k *Core) replan() {
	if !k.keyed {
		k.endLateOf(k.plain.waiting.late(k.ready))
		return
	}
	var late []*Call
	if latest := k.ready(&k.lanes.mostCost); k.lateBefore(0, latest, &late) == len(k.lanes.deadlines) {
		k.lanes.mostCost = Costs{} // all were looked at
		for _, e := range k.lanes.deadlines {
			k.noteDeadline(e.value.lane)
		}
	}
	slices.SortFunc(late, byRank)
	k.endLateOf(late)
}

// lateBefore adds to late the calls that will be late. It looks at the i-th lane of the heap and those below it,
// as far as their first deadlines are before latest. It returns how many lanes it has looked at.
func (k *Core) lateBefore(i int, latest time.Duration, late *[]*Call) (looked int) {
	h := k.lanes.deadlines
	if i >= len(h) || h[i].first >= latest {
		return 0
	}
	*late = append(*late, h[i].value.waiting.late(k.ready)...)
	looked = 1
	for child := 4*i + 1; child <= 4*i+4; child++ {
		looked += k.lateBefore(child, latest, late)
	}
	return looked
}

// replanAll does what replan does when a pause begins or ends, which also concerns the budgets of keys.
func (k *Core) replanAll() {
	if len(k.perKeyBudgets) == 0 {
		k.replan()
		return
	}
	var late []*Call
	for _, e := range k.lanes.deadlines {
		late = append(late, k.lateIn(e.value.lane)...)
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
