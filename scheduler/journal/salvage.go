package journal

import (
	"cmp"
	"errors"
	"maps"
	"math"
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
	last    *survey   // of the tree of the last commit, or what is left of it
	roots   []*survey // of this and earlier commits, in the order in which they are tried
	target  *summary  // the newest summary; nil if none is known
	trusted bool      // target is of the last commit
	raw     *places   // everything in the file
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

// newSalvage finds the last commit and its tree, and earlier ones.
func newSalvage(p *pages) (*salvage, error) {
	metas, _ := p.metas()
	newest := metas[0]
	// If the other meta is damaged, it may have been the one of the next commit.
	from, to := newest.tx-min(newest.tx, 1), newest.tx
	switch {
	case !newest.ok:
		to = math.MaxUint64
	case !metas[1].ok:
		to++
	}
	found, target := scanRoots(p, from, to)
	s := &salvage{target: target, trusted: target != nil && target.tx >= newest.tx}
	for _, m := range metas {
		if m.ok {
			s.roots = append(s.roots, surveyOf(p, m, nil, newPlaces(p)))
		}
	}
	for _, r := range found {
		if !slices.ContainsFunc(s.roots, func(known *survey) bool { return known.root == r.page }) {
			s.roots = append(s.roots, surveyOf(p, meta{tx: r.tx, root: r.page, end: p.count}, nil, newPlaces(p)))
		}
	}
	if err := s.findLast(newest); err != nil {
		return nil, err
	}
	upTo := uint64(math.MaxUint64)
	if s.trusted {
		upTo = s.target.seq
	}
	if s.raw = scanPlaces(p, upTo); s.target == nil && len(s.raw.calls) == 0 {
		return nil, errNotJournal
	}
	if s.last == nil {
		s.last = &survey{pages: p, places: newPlaces(p)}
		for _, name := range buckets {
			s.last.fault(string(name), keyRange{}, "the root can't be found")
		}
	}
	return s, nil
}

// findLast finds the tree of the last commit, and puts the newest root first.
func (s *salvage) findLast(newest meta) error {
	lastTx := newest.tx
	if s.target != nil {
		lastTx = max(lastTx, s.target.tx)
	}
	for _, root := range s.roots {
		if root.newer != nil {
			return root.newer
		}
		// A page whose last write was lost has the root of an earlier commit.
		matches := root.summary == nil || root.summary.tx == root.tx
		if s.last == nil && root.tx == lastTx && matches {
			s.last = root
		}
	}
	age := func(root *survey) uint64 {
		switch {
		case root == s.last:
			return 0
		case root.summary == nil:
			return math.MaxUint64
		}
		return lastTx + 1 - root.summary.tx
	}
	slices.SortStableFunc(s.roots, func(a, b *survey) int { return cmp.Compare(age(a), age(b)) })
	return nil
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
	return s.certain()
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

// certain returns the calls that the tree of the last commit leads to. Others that may be missing become suspects, except
// those that have ended.
func (s *salvage) certain() chosen {
	c := chosen{base: s.last, calls: maps.Clone(s.last.places.calls), suspects: map[uint64]place{}}
	for number, found := range s.raw.calls {
		old, is := c.calls[number]
		switch {
		case is && found.seq <= old.seq:
		case !is && !s.last.mayMiss(calls, number):
		case found.ended:
			c.calls[number] = found
		default:
			c.suspects[number] = found
			delete(c.calls, number)
		}
	}
	return c
}
