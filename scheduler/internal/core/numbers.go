package core

import "sort"

// numbers knows which numbers up to Core.LastID calls have had. New calls get them in order. Those of resumed calls
// come in any order and leave gaps.
type numbers struct {
	from    uint64            // all numbers above it were given to new calls; at first Config.LastID
	runs    []run             // the numbers of other new calls, in ascending order
	resumed map[uint64]uint64 // a bit for each number of a resumed call, by number / 64; nil if there are none
}

// run is a range of numbers.
type run struct{ first, last uint64 }

// taken reports whether a call has had a number. lastID is the highest that one has had.
func (n *numbers) taken(id, lastID uint64) bool {
	if id > lastID {
		return false
	}
	if id > n.from || n.resumed[id/64]>>(id%64)&1 == 1 {
		return true
	}
	i := sort.Search(len(n.runs), func(i int) bool { return n.runs[i].last >= id })
	return i < len(n.runs) && n.runs[i].first <= id
}

// resume notes the number of a resumed call, which must be free. It returns the highest number that a call has had.
func (n *numbers) resume(id, lastID uint64) uint64 {
	if n.resumed == nil {
		n.resumed = map[uint64]uint64{}
	}
	n.resumed[id/64] |= 1 << (id % 64)
	if id < lastID {
		return lastID
	}
	if lastID > n.from {
		n.runs = append(n.runs, run{n.from + 1, lastID})
	}
	n.from = id
	return id
}
