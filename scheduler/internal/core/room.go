package core

import "time"

// Calls that wait for room don't count for MaxQueued. They are queued, and their Submits return when there is
// room.

// queueFull reports whether a call that has to wait finds no room. A key that has no call waiting for its
// first attempt has room in any case, so that one key with many calls does not keep the others out.
func (k *Core) queueFull(c *Call) bool { return k.bounded && !k.hasArrived(c) && k.hasNoRoom(c) }

func (k *Core) hasNoRoom(c *Call) bool {
	l := k.laneOf(c)
	if k.MaxQueued > 0 && k.neverGranted-k.waitingForRoom.count >= k.MaxQueued && l.admitted() > 0 {
		return true
	}
	return k.keyFull(l)
}

func (k *Core) noteBounds() { k.bounded = k.MaxQueued > 0 || k.perKey.MaxQueued > 0 }

// keyFull reports whether so many calls of a key wait for their first attempt that the key has no room.
func (k *Core) keyFull(l *lane) bool {
	return k.perKey.MaxQueued > 0 && l != &k.plain && l.admitted() >= k.perKey.MaxQueued
}

// admitted returns how many calls of a lane have room and wait for their first attempt.
func (l *lane) admitted() int { return l.waiting.neverGranted() - int(l.waiting.waitsForRoom) }

// crowdedLane is a lane as an entry of lanes.crowded.
type crowdedLane struct{ *lane }

func (l crowdedLane) setIndex(i int) { l.waiting.crowdedIndex = int32(i) }

// noteCrowd updates the entry of a lane in lanes.crowded.
func (k *Core) noteCrowd(l *lane) {
	if k.overflow != dropLowest {
		return
	}
	w, h := l.waiting, &k.lanes.crowded
	last := w.lastNeverGranted()
	switch i := int(w.crowdedIndex); {
	case last == nil && i >= 0:
		h.remove(i)
		w.crowdedIndex = -1
	case last == nil:
	case i >= 0:
		h.replace(i, crowd(l, w.neverGranted(), l.weight, last))
	default:
		h.push(crowd(l, w.neverGranted(), l.weight, last))
	}
}

// crowd returns the entry of a lane with so many calls that were never granted. The most crowded lane comes
// first, and of several the one whose last call came last.
func crowd(l *lane, calls int, weight int64, last *Call) entry[crowdedLane] {
	return entry[crowdedLane]{first: -time.Duration(int64(calls) * unitsPerToken / weight), id: ^last.ID, value: crowdedLane{l}}
}

// last returns the call that ends if c is queued beyond the bound. With refuseNew that is c itself. With
// dropLowest it is the last call of the key that has the most calls waiting, divided by its weight.
func (k *Core) last(c *Call) *Call {
	if k.overflow == refuseNew {
		return c
	}
	mine := k.laneOf(c)
	last := k.lastOf(mine, c)
	if !k.keyed || k.keyFull(mine) {
		return last
	}
	with := crowd(mine, mine.waiting.neverGranted()+1, k.weightOf(c), last)
	if other := k.mostCrowded(mine); other != nil && other.before(&with) {
		return other.value.waiting.lastNeverGranted()
	}
	return last
}

// mostCrowded returns the entry of the most crowded lane other than the given one, or nil.
func (k *Core) mostCrowded(without *lane) (most *entry[crowdedLane]) {
	h := k.lanes.crowded
	if len(h) > 0 && h[0].value.lane != without {
		return &h[0]
	}
	for i := 1; i < min(5, len(h)); i++ { // one of these is next
		if most == nil || h[i].before(most) {
			most = &h[i]
		}
	}
	return most
}

// lastOf returns the call that would rank last of those of a lane that were never granted, if c were queued there.
func (k *Core) lastOf(l *lane, c *Call) *Call {
	if last := l.waiting.lastNeverGranted(); last != nil && c.Before(last) {
		return last
	}
	return c
}

// makeRoom lets a call wait for room, or drops another.
func (k *Core) makeRoom(c *Call) {
	switch {
	case k.overflow == dropLowest:
		k.drop(k.last(c))
	case c.WantsAdmission:
		c.ensureDetail().waitsForRoom = true
		k.laneOf(c).waiting.waitsForRoom++
		k.waitingForRoom.add(c)
	}
}

// noRoom returns the error of a call for which the queue has no room.
func (k *Core) noRoom(c *Call) error {
	wait, turn := k.turnOf(c, 0)
	early := &Early{Reason: QueueFull, Queued: k.queued, Most: k.MaxQueued, Wait: wait, RetryAt: turn}
	if l := k.laneOf(c); k.keyFull(l) {
		early.Queued, early.Most, early.Key = l.waiting.len(), k.perKey.MaxQueued, l.name
	}
	return early
}

// drop ends a call, to make room for another.
func (k *Core) drop(c *Call) {
	err := k.noRoom(c)
	k.leave(c)
	k.endDropped(c, err)
}

// admitWaiting admits calls that wait for room, as long as there is some. It is called when a call of the lane has
// left, or the bound has changed.
func (k *Core) admitWaiting(l *lane) {
	for k.waitingForRoom.count > 0 && !k.Closed {
		c := k.waitingForRoom.first
		if k.queueFull(c) {
			if c = k.firstForRoom(l); c == nil {
				return
			}
		}
		k.stopWaitingForRoom(c)
		k.admit(c)
	}
}

// firstForRoom returns the first call of a lane that waits for room, if the lane has room, or nil.
func (k *Core) firstForRoom(l *lane) *Call {
	if l.waiting.waitsForRoom == 0 || l.admitted() > 0 {
		return nil
	}
	c := k.waitingForRoom.first
	for k.laneOf(c) != l {
		c = c.detail.next
	}
	return c
}

func (k *Core) stopWaitingForRoom(c *Call) {
	if c.detail != nil && c.detail.waitsForRoom {
		c.detail.waitsForRoom = false
		k.laneOf(c).waiting.waitsForRoom--
		k.waitingForRoom.remove(c)
	}
}
