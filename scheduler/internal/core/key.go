package core

// key is the key of calls, such as a tenant, a host, a customer or a model. A call points to the key of its lane,
// and before it is submitted to a key of its own.
type key struct {
	name   string // "" for calls without a key
	weight int64
	lane   *lane // nil before the call is submitted
}

// MaxWeight is the largest weight of a key.
const MaxWeight = 1_000_000

// SetKey sets the key of a call that is not submitted yet, and the weight that the key has from then on. The
// name may be empty, and the weight is from 1 to [MaxWeight].
func (c *Call) SetKey(name string, weight int64) { c.key = &key{name: name, weight: weight} }

// Key returns the name of a call's key, or "".
func (c *Call) Key() string {
	if c.key == nil {
		return ""
	}
	return c.key.name
}

// HasKey reports whether SetKey was called.
func (c *Call) HasKey() bool { return c.key != nil }

// weightOf returns the weight that the key of a call has, or will have once the call is accepted.
func (k *Core) weightOf(c *Call) int64 {
	switch {
	case c.State > resumesBackingOff:
		return k.laneOf(c).weight
	case c.key == nil:
		return 1
	}
	return c.key.weight
}

// laneOf returns the lane of a call.
func (k *Core) laneOf(c *Call) *lane {
	if c.key == nil {
		return &k.plain
	}
	return c.key.lane
}

// assign finds the lane of a call that arrives. For a key that is not remembered it makes a lane, which is
// remembered only if the call is accepted.
func (k *Core) assign(c *Call) {
	if c.key.lane != nil { // it was submitted before
		return
	}
	k.useKeys()
	l := k.lanes.byName[c.key.name]
	switch {
	case c.key.name == "":
		l = &k.plain
	case l == nil:
		l = k.newLane(c.key.name)
	}
	c.key.lane = l
}
