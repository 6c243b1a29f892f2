package journal

import "hash/maphash"

// index finds the number of a call by its id. It keeps a hash in place of each id, so two ids may share a hash: the
// file tells which call has which id.
type index struct {
	numbers map[uint64]uint64   // by the hash of the id
	more    map[uint64][]uint64 // for ids that share a hash with one in numbers; most often empty
}

// newIndex makes an index for n calls or more.
func newIndex(n int) index {
	return index{numbers: make(map[uint64]uint64, n), more: map[uint64][]uint64{}}
}

var hashSeed = maphash.MakeSeed()

// hashOf returns the hash of an id. It differs from process to process.
func hashOf(id string) uint64 { return maphash.String(hashSeed, id) }

// candidates returns the numbers of the calls that may have an id.
func (x *index) candidates(id string) []uint64 {
	h := hashOf(id)
	first, ok := x.numbers[h]
	if !ok {
		return nil
	}
	return append([]uint64{first}, x.more[h]...)
}

func (x *index) add(id string, number uint64) { x.addHash(hashOf(id), number) }

func (x *index) addHash(h, number uint64) {
	if _, taken := x.numbers[h]; taken {
		x.more[h] = append(x.more[h], number)
		return
	}
	x.numbers[h] = number
}

// remove removes the number of a call with an id.
func (x *index) remove(id string, number uint64) {
	h := hashOf(id)
	all := x.candidates(id)
	delete(x.numbers, h)
	delete(x.more, h)
	for _, other := range all {
		if other != number {
			x.addHash(h, other)
		}
	}
}
