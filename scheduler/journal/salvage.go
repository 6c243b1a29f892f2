package journal

import (
	"errors"
	"maps"
	"slices"
)

// A damaged file is not mended in place. What checks is written into a new one.
//
// bbolt never changes a page of the last commit. It writes a changed page elsewhere, and uses the old place again later.
// So the file is full of records of the past, which check as well. A record is certain if the tree of the last commit
// leads to it. If a page of the tree is damaged, the calls below it can only be looked for everywhere, in their newest
// version. Among them may be calls that ended so long ago that nothing else tells of them. The summary decides: if the
// hashes of what was found add up to its sum, everything was found and nothing else. If not, what is not certain is set
// aside, and not run.

// salvage is the choice of what a damaged file had.
type salvage struct {
	roots   []*survey
	target  *summary // the newest summary; nil if none is known
	trusted bool     // target is of the last commit
	lost    bool     // the roots of the last two commits are damaged, so all that is found may be from the past
	raw     *places  // everything in the file
}

// chosen has the calls that go into the new file.
type chosen struct {
	base     *survey
	calls    map[uint64]place
	suspects map[uint64]place // calls that may have ended
	exact    bool             // nothing is missing, and nothing is from the past
	endedToo bool             // exact holds for calls that have ended, too
}

var errNotJournal = errors.New("is not a journal's file, or nothing in it can be read")

// newSalvage finds the roots of the last commits.
func newSalvage(p *pages) (*salvage, error) {
	s := &salvage{}
	metas, _ := p.metas()
	var newest, older *survey
	var known []uint64
	for i, at := range [...]**survey{&newest, &older} {
		if m := metas[i]; m.ok {
			*at = surveyOf(p, m.root, m.end, nil, newPlaces(p))
			known = append(known, m.root)
		}
	}
	var from uint64
	for _, root := range [...]*survey{older, newest} {
		if root != nil && root.summary != nil {
			from = root.summary.seq
		}
	}
	for _, page := range scanRoots(p, from) {
		if !slices.Contains(known, page) {
			s.roots = append(s.roots, surveyOf(p, page, p.count, nil, newPlaces(p)))
		}
	}
	for _, root := range [...]*survey{newest, older} {
		if root != nil {
			s.roots = append(s.roots, root)
		}
	}
	for _, root := range s.roots {
		if root.newer != nil {
			return nil, root.newer
		}
		if root.summary != nil && (s.target == nil || root.summary.seq > s.target.seq) {
			s.target = root.summary
		}
	}
	rooted := newest == nil || newest.summary != nil || older != nil && older.summary != nil
	s.trusted = s.target != nil && rooted && (newest == nil || newest.summary != nil || s.target.seq > from)
	s.lost = !rooted
	upTo := ^uint64(0)
	if s.trusted {
		upTo = s.target.seq
	}
	s.raw = scanPlaces(p, upTo)
	if s.target == nil && len(s.raw.calls) == 0 {
		return nil, errNotJournal
	}
	if len(s.roots) == 0 {
		s.roots = append(s.roots, &survey{pages: p, places: newPlaces(p), faults: []fault{{bucket: string(calls)}, {bucket: string(bodies)}}})
	}
	// If only the summary is damaged, the root of the newest meta is first.
	slices.SortStableFunc(s.roots, func(a, b *survey) int { return int(s.age(a, newest)) - int(s.age(b, newest)) })
	return s, nil
}

// age returns how many commits a root is behind the newest that is known.
func (s *salvage) age(root, newest *survey) uint64 {
	switch {
	case root.summary != nil && s.target != nil:
		return s.target.seq - root.summary.seq + 1
	case root == newest && !root.isDamaged(calls) && !root.isDamaged(bodies):
		return 0
	}
	return 1 << 30
}

// isDamaged reports whether a bucket has a fault.
func (s *survey) isDamaged(bucket []byte) bool {
	return slices.ContainsFunc(s.faults, func(f fault) bool { return f.bucket == string(bucket) })
}

// choose returns the first choice that adds up, or else what is certain.
func (s *salvage) choose() chosen {
	for _, alsoEnded := range [...]bool{true, false} {
		for _, root := range s.roots {
			for way := range 4 {
				if c := s.try(root, way); s.trusted && s.addsUp(c.calls, alsoEnded) {
					c.exact, c.endedToo = true, alsoEnded
					return c
				}
			}
		}
	}
	return s.certain(s.roots[0])
}

// try returns the calls that a way finds. Way 0 takes those that the tree leads to, and way 1 also those that may have been
// below its damaged pages. Way 2 takes the newest version of each from the whole file, and way 3 all calls there are.
func (s *salvage) try(root *survey, way int) chosen {
	c := chosen{base: root, calls: maps.Clone(root.places.calls)}
	for number, found := range s.raw.calls {
		old, is := c.calls[number]
		switch {
		case is && (way < 2 || found.seq <= old.seq):
		case is, way == 3, way == 2 && root.summary != nil && found.seq > root.summary.seq, way > 0 && root.mayMiss(calls, number):
			c.calls[number] = found
		}
	}
	return c
}

// mayMiss reports whether the value of a call may have been below a damaged page of a bucket.
func (s *survey) mayMiss(bucket []byte, number uint64) bool {
	key := keyOf(number)
	return slices.ContainsFunc(s.faults, func(f fault) bool {
		return f.bucket == string(bucket) && f.keys.has(key)
	})
}

// addsUp reports whether the calls that were found are exactly those of the summary. Calls that have ended count only with
// alsoEnded.
func (s *salvage) addsUp(found map[uint64]place, alsoEnded bool) bool {
	var live, over tally
	for _, p := range found {
		if t := &live; p.ended {
			over.count++
			over.sum += p.hash
		} else {
			t.count++
			t.sum += p.hash
		}
	}
	return live == s.target.live && (over == s.target.ended || !alsoEnded)
}

// certain returns the calls that the tree of a root leads to. If the last commit is not known, it adds the calls that were
// written after the root. Others that may be missing become suspects, except those that have ended.
func (s *salvage) certain(root *survey) chosen {
	c := chosen{base: root, calls: maps.Clone(root.places.calls), suspects: map[uint64]place{}}
	if s.lost {
		return s.past(c)
	}
	for number, found := range s.raw.calls {
		old, is := c.calls[number]
		switch {
		case is && found.seq <= old.seq:
		case !s.trusted && root.summary != nil && found.seq > root.summary.seq:
			c.calls[number] = found
		case is:
			c.suspects[number] = found
			delete(c.calls, number)
		case !root.mayMiss(calls, number):
		case found.ended:
			c.calls[number] = found
		default:
			c.suspects[number] = found
		}
	}
	return c
}

// past takes only calls that have ended, and suspects the others.
func (s *salvage) past(c chosen) chosen {
	c.calls = map[uint64]place{}
	for number, found := range s.raw.calls {
		if found.ended {
			c.calls[number] = found
		} else {
			c.suspects[number] = found
		}
	}
	return c
}
