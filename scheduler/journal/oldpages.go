package journal

import "slices"

// When the power fails, a disk may have written only some pages of the last commit. The others still have what they had
// before, with the right checksums. A call on such an old page may have ended since.
//
// The last commit writes a page of calls because it changes a call on it or below it. That record has the number of the
// commit. A page that the commit should have written, and that has no such record, is old. A page from which the commit has
// only removed calls looks the same. So some of its calls may be set aside although they are waiting.

// oldPages returns the pages of calls in the tree that the last commit must have written, and yet have no record of it. It
// also returns the tree of the commit before, or nil if that is not known.
func (s *salvage) oldPages() (old map[int64]bool, before *survey) {
	old = map[int64]bool{}
	at := slices.IndexFunc(s.roots, func(r *survey) bool { return r.tx+1 == s.last.tx })
	if at < 0 || !s.trusted {
		return old, nil
	}
	before = s.roots[at]
	found := s.last.places
	for _, at := range found.calls {
		found.path(at, func(page int64) {
			if !before.seen[page] {
				old[page] = true
			}
		})
	}
	for _, at := range found.calls {
		if at.seq == s.target.seq {
			found.path(at, func(page int64) { delete(old, page) })
		}
	}
	return old, before
}

// noteAbove keeps which branch, at a place in the file, leads to a page.
func (p *places) noteAbove(page uint64, branch int64) {
	if p != nil {
		p.above[int64(page)] = branch / pageSize
	}
}

// path calls do for the page of a record and those above it.
func (p *places) path(at place, do func(page int64)) {
	page := at.at / pageSize
	for range maxDepth {
		do(page)
		branch, is := p.above[page]
		if !is {
			return
		}
		page = branch
	}
}

// mayBeOld reports whether a record in the tree may be on an old page. Any may be if the calls do not add up, and nothing
// else is known to be wrong with them.
func (b *builder) mayBeOld(at place) bool {
	return !b.exact && (len(b.base.gapsIn(calls)) == 0 || b.isOld(at))
}

// isOld reports whether a record is on an old page or below one.
func (b *builder) isOld(at place) (is bool) {
	if len(b.old) > 0 {
		b.last.places.path(at, func(page int64) { is = is || b.old[page] })
	}
	return is
}

// mayHaveEnded reports whether a call may have ended whose record in the tree has not. If it has, its payload is no longer
// in the tree, unless the page of the payload is an old one, too.
func (b *builder) mayHaveEnded(r *record, at place) bool {
	payload, is := b.base.places.bodies[bodyID{r.number, r.payload}]
	switch {
	case b.exact:
		return false
	case r.payload.size == 0:
		return b.mayBeOld(at)
	case is:
		return b.isOld(at) && !b.before.seen[payload/pageSize]
	}
	return b.mayBeOld(at) || !b.base.mayMiss(bodies, r.number)
}
