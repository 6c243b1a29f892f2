package core

// A key is remembered as long as forgetting it could make a difference when it comes again. Whether that is so
// depends on time. So each call with a key, and each input that names a new key, looks at two keys without calls.
const (
	looksPerCall  = 2
	looksWhenFull = 64 // for a call with a new key, when MaxKeys are remembered
)

// newLane returns the lane of a key that is not remembered.
func (k *Core) newLane(name string) *lane {
	l := &lane{key: key{name: name, weight: 1}, waiting: k.lanes.none, own: k.newOwn(), limits: &k.perKeyBudgets, position: -1}
	l.key.lane = l
	return l
}

// remember adds a key to those that are remembered, unless it is one of them.
func (k *Core) remember(l *lane) {
	if l.position >= 0 || l == &k.plain {
		return
	}
	l.position = int32(len(k.lanes.all))
	k.lanes.all = append(k.lanes.all, l)
	k.lanes.byName[l.name] = l
	k.rest(l)
}

// forget takes a key out of those that are remembered.
func (k *Core) forget(l *lane) {
	s := &k.lanes
	last := s.all[len(s.all)-1]
	s.all[l.position], last.position = last, l.position
	s.all[len(s.all)-1] = nil
	s.all = s.all[:len(s.all)-1]
	delete(s.byName, l.name)
	l.position = -1
}

// rest notes that a key has no calls.
func (k *Core) rest(l *lane) {
	if l.position >= 0 && l.calls == 0 && !l.resting {
		l.resting = true
		k.lanes.resting.add(l, k.lanes.resting.last)
	}
}

func (k *Core) leaveRest(l *lane) {
	if l.resting {
		l.resting = false
		k.lanes.resting.remove(l)
	}
}

// look looks at up to n keys without calls, and forgets those that are as new.
func (k *Core) look(n int) {
	for ; n > 0 && k.lanes.resting.first != nil; n-- {
		l := k.lanes.resting.first
		k.leaveRest(l)
		if k.isAsNew(l) {
			k.forget(l)
		} else {
			k.rest(l)
		}
	}
}

// isAsNew reports whether nothing distinguishes a key without calls from a new one.
func (k *Core) isAsNew(l *lane) bool {
	if k.hasLimits(l) || l.heldUntil > k.Now || l.pausedUntil > k.Now || k.usedBy(l) > k.lanes.virtual || !k.hasNewRetries(l) {
		return false
	}
	k.refresh(l)
	for i := range l.own {
		if b := l.bucket(i); !b.AsNew() {
			return false
		}
	}
	return true
}

// isFull reports whether a new key can't be remembered.
func (k *Core) isFull(l *lane) bool {
	if l == &k.plain || l.position >= 0 || k.perKey.MaxKeys == 0 || len(k.lanes.all) < k.perKey.MaxKeys {
		return false
	}
	k.look(looksWhenFull)
	return len(k.lanes.all) >= k.perKey.MaxKeys
}

// accept notes that a call was accepted, and gives its key the weight of the call.
func (k *Core) accept(c *Call) {
	l := k.laneOf(c)
	k.remember(l)
	k.leaveRest(l)
	l.calls++
	if l != &k.plain {
		k.lanes.calls++
	}
	k.setWeight(l, k.weightOf(c))
	if c.key != nil {
		c.key = &l.key
		k.look(looksPerCall)
	}
}
