package scheduler

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
)

// stormCall is what its options make of a call.
type stormCall struct {
	cost int64
	key  string // "" if it has none
}

// stormKeys are the keys of a run with keys.
var stormKeys = []string{"", "", "a", "b", "\xff\n"}

// stormKey is what the callers of a key see.
type stormKey struct{ running, paid atomic.Int64 }

const (
	keySlots = 3
	keyBurst = 12
)

// perKey returns what each key has for itself.
func (st *stormRun) perKey(rnd *rand.Rand, overflow Overflow) PerKey {
	if !st.keyed {
		return PerKey{}
	}
	for _, key := range stormKeys {
		st.keys[key] = new(stormKey)
	}
	p := PerKey{
		Limit: bucket.Per(1, 4*st.every).Burst(keyBurst), MaxInFlight: keySlots,
		Patience: time.Duration(rnd.IntN(3)) * time.Millisecond, MaxKeys: rnd.IntN(4),
	}
	if overflow != WaitForRoom {
		p.MaxQueued = rnd.IntN(6)
	}
	return p
}

// key draws the key of a call.
func (st *stormRun) key(rnd *rand.Rand) string {
	if !st.keyed {
		return ""
	}
	return stormKeys[rnd.IntN(len(stormKeys))]
}

// runsWithKey checks that the key of a function has a slot and the tokens for it, until over is called.
func (st *stormRun) runsWithKey(is stormCall) (over func()) {
	if is.key == "" {
		return func() {}
	}
	k := st.keys[is.key]
	if n := k.running.Add(1); n > keySlots {
		st.fault("%d functions of key %q run, with %d slots", n, is.key, keySlots)
	}
	paid, at := k.paid.Add(is.cost), time.Since(st.began)
	if most := keyBurst + int64(at/(4*st.every)); paid > most {
		st.fault("%d tokens of key %q had been used after %v, of %d", paid, is.key, at, most)
	}
	return func() { k.running.Add(-1) }
}

// meddleWithKeys changes what a key has for itself. No change gives it more.
func (st *stormRun) meddleWithKeys(rnd *rand.Rand) (err error) {
	key := st.key(rnd)
	if key == "" {
		return nil
	}
	slow := bucket.Per(1, 4*st.every*time.Duration(1+rnd.IntN(2))).Burst(4 + rnd.Int64N(keyBurst-3))
	switch rnd.IntN(8) {
	case 0:
		err = st.s.PauseKey(key, time.Now().Add(time.Duration(rnd.IntN(1000))*time.Microsecond))
	case 1:
		err = st.s.PauseKey(key, time.Time{})
		delay(rnd)
		err = errors.Join(err, st.s.ResumeKey(key))
	case 2:
		err = st.s.SetLimitOfKey(key, "", slow)
	case 3:
		err = st.s.ObserveKey(key, KeyBudget, rnd.Int64N(keyBurst))
	case 4:
		err = st.s.LearnKey(key, "", slow, rnd.Int64N(5)-1)
	case 5:
		_, err = st.s.Estimate(Key(key), Cost(2), Weight(2))
	case 6:
		_, err = st.s.SnapshotOf(key)
	case 7:
		err = st.s.ForgetKey(key)
	}
	if errors.Is(err, ErrTooManyKeys) {
		return nil
	}
	return err
}
