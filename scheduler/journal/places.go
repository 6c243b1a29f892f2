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
	upTo   uint64 // newer versions are left out
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
	return &places{file, map[uint64]place{}, map[bodyID]int64{}, ^uint64(0)}
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

// scanRoots returns the newest few root pages whose summary checks and is of the commit from or a later one. The newest
// is first.
func scanRoots(p *pages, from uint64) []uint64 {
	type root struct{ page, seq uint64 }
	var all []root
	p.scan(func(id uint64, e element) {
		if !e.isBucket || string(e.key) != string(totals) {
			return
		}
		inner, _ := e.inside()
		for e := range inner.elements() {
			if s, err := decodeSummary(e.value); err == nil && s.seq >= from {
				all = append(all, root{id, s.seq})
			}
		}
	})
	slices.SortFunc(all, func(a, b root) int { return int(b.seq) - int(a.seq) })
	const few = 3
	var pages []uint64
	for _, r := range all[:min(few, len(all))] {
		pages = append(pages, r.page)
	}
	return pages
}
