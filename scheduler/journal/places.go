package journal

import (
	"encoding/binary"
	"slices"
)

// places knows where the values of calls are in the file.
type places struct {
	file   *pages
	calls  map[uint64]place // the newest version of each
	bodies map[bodyID]int64
	above  map[int64]int64 // of a page, the branch that leads to it
	upTo   uint64          // newer versions are left out
}

// place is where a version of a record is.
type place struct {
	at    int64
	size  int
	seq   uint64
	hash  uint64
	ended bool
}

// bodyID is the payload or result of a call. A call may have had both.
type bodyID struct {
	number uint64
	body
}

func newPlaces(file *pages) *places {
	return &places{file, map[uint64]place{}, map[bodyID]int64{}, map[int64]int64{}, ^uint64(0)}
}

// noteCall keeps the place of a record unless a newer version is known.
func (p *places) noteCall(r *record, e element) {
	if p == nil || r.seq > p.upTo {
		return
	}
	if old, is := p.calls[r.number]; !is || r.seq > old.seq {
		p.calls[r.number] = place{e.at, len(e.value), r.seq, hash(r.number, e.value), r.state == ended}
	}
}

// noteLevels keeps the place of levels. No call has the number 0.
func (p *places) noteLevels(e element) { p.bodies[bodyID{0, bodyOf(e.value[headSize:])}] = e.at }

// noteBody keeps the place of a payload or result.
func (p *places) noteBody(e element) {
	if p != nil {
		p.bodies[bodyID{binary.BigEndian.Uint64(e.key), bodyOf(e.value[headSize:])}] = e.at
	}
}

// record reads a record from its place again.
func (p *places) record(number uint64, at place) (*record, []byte, error) {
	value := make([]byte, at.size)
	if _, err := p.file.file.ReadAt(value, at.at); err != nil {
		return nil, nil, err
	}
	r, err := decode(keyOf(number), value)
	return r, value, err
}

// bodyValue returns the value of a payload or result, with its head, or nil if it was not found.
func (p *places) bodyValue(id bodyID) []byte {
	at, is := p.bodies[id]
	if !is {
		return nil
	}
	value := make([]byte, headSize+int(id.size))
	if _, err := p.file.file.ReadAt(value, at); err != nil {
		return nil
	}
	return value
}

// levels returns the levels that were found with a size and checksum, or nil.
func (p *places) levels(want body) []byte {
	value := p.bodyValue(bodyID{0, want})
	if len(value) <= headSize {
		return nil
	}
	return value[headSize:]
}

// scan reads every page of the file as if it were a leaf, whether or not it is in use. It calls visit for each element
// that may be one.
func (p *pages) scan(visit func(page uint64, e element)) {
	var buffer []byte
	for id := uint64(2); id < p.count; id++ {
		found, _ := p.read(id, buffer)
		if found.bytes == nil {
			continue
		}
		buffer, found.kind = found.bytes, leafPage
		for e := range found.elements() {
			if e.ok {
				visit(id, e)
			}
		}
	}
}

// scanPlaces notes the values of calls anywhere in the file, in versions up to a commit. Many are out of date.
func scanPlaces(p *pages, upTo uint64) *places {
	all := newPlaces(p)
	all.upTo = upTo
	note := func(_ uint64, e element) {
		if _, err := unseal(checksum(only), e.value); err == nil && string(e.key) == string(only) {
			all.noteLevels(e)
		}
		if len(e.key) != 8 || e.isBucket {
			return
		}
		if r, err := decode(e.key, e.value); err == nil {
			all.noteCall(r, e)
		} else if _, err := unseal(bodySum(e.key), e.value); err == nil {
			all.noteBody(e)
		}
	}
	p.scan(func(id uint64, e element) {
		if !e.isBucket {
			note(id, e)
		} else if inner, _ := e.inside(); inner.bytes != nil {
			inner.kind = leafPage
			for e := range inner.elements() {
				note(id, e)
			}
		}
	})
	return all
}

// foundRoot is a page that was the root of a commit.
type foundRoot struct {
	page uint64
	*summary
}

// scanRoots looks for the roots of the commits from one transaction to another. It returns the newest few, the newest first,
// and the newest summary of these commits.
func scanRoots(p *pages, from, to uint64) (roots []foundRoot, newest *summary) {
	note := func(e element) *summary {
		s, err := decodeSummary(e.value)
		if err != nil || s.tx < from || s.tx > to {
			return nil
		}
		if newest == nil || s.compare(newest) > 0 {
			newest = s
		}
		return s
	}
	p.scan(func(id uint64, e element) {
		switch {
		case !e.isBucket && string(e.key) == string(second):
			note(e)
		case e.isBucket && string(e.key) == string(totals):
			inner, _ := e.inside()
			for e := range inner.elements() {
				if s := note(e); s != nil {
					roots = append(roots, foundRoot{id, s})
				}
			}
		}
	})
	slices.SortFunc(roots, func(a, b foundRoot) int { return b.compare(a.summary) })
	const few = 3
	return roots[:min(few, len(roots))], newest
}
