package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// survey reads all that a commit left in the file, checks it, and compares it with the summary.
type survey struct {
	*pages
	meta
	progress *progress
	percent  uint64 // that progress was told last
	buffers  [maxDepth][]byte
	seen     []bool
	used     uint64 // pages

	summary         *summary // nil if damaged
	levels          []byte
	keys            map[string]keyLeft // the latest of each key
	have            summary            // the tallies of the calls that were found
	expects, bodies tally              // of payloads and results: those that the records name, and those that were found
	ended           []endedCall
	calls           []foundCall
	record          record // of the latest call, used again for the next
	aside           []Damage
	faults          []fault
	gaps            map[string][]keyRange // by bucket, what mayMiss has made of faults
	newer           error                 // something is of a newer format

	// If places is not nil, what checks is noted in it.
	places *places
}

// maxDepth is how many pages one above the other are read.
const maxDepth = 20

// fault is a part of a bucket that could not be read.
type fault struct {
	bucket string
	keys   keyRange // which may be missing
	number uint64   // of the call, if it is about one
	reason string
}

// surveyOf reads what is below the root page of a meta. The tree may be damaged in any way.
func surveyOf(p *pages, m meta, progress *progress, places *places) *survey {
	s := &survey{pages: p, meta: m, progress: progress, seen: make([]bool, p.count), places: places}
	s.end = min(m.end, p.count)
	top, ok := s.pages.read(m.root, nil)
	if !ok || top.kind != leafPage {
		s.fault("", keyRange{}, fmt.Sprintf("page %d, the root, is damaged", m.root))
	}
	if top.bytes != nil {
		s.enter(m.root, top)
	}
	missing := map[string]bool{}
	for _, name := range buckets {
		missing[string(name)] = true
	}
	for e := range top.elements() {
		if !e.ok || !e.isBucket || !missing[string(e.key)] || len(e.value) < bucketHead {
			s.fault("", keyRange{}, "an element of the root is damaged")
			continue
		}
		name := string(e.key)
		delete(missing, name)
		if child := native.Uint64(e.value); child != 0 {
			s.walk(name, child, keyRange{}, 0)
		} else if inner, ok := e.inside(); ok {
			s.leaf(name, inner, keyRange{})
		} else {
			s.fault(name, keyRange{}, "the page of a small bucket is damaged")
		}
	}
	for name := range missing {
		s.fault(name, keyRange{}, "the bucket can't be found")
	}
	return s
}

// whole returns nil if everything is there and is as the summary says.
func (s *survey) whole() error {
	switch {
	case s.newer != nil:
		return s.newer
	case len(s.faults) > 0:
		return fmt.Errorf("%s: %s", s.faults[0].bucket, s.faults[0].reason)
	case s.summary == nil:
		return errors.New("the summary is missing")
	case s.summary.tx != s.tx:
		return errors.New("the root is of another commit")
	case s.have.live != s.summary.live || s.have.ended != s.summary.ended:
		return fmt.Errorf("%d calls and %d that ended were found, of %d and %d, or not all are the latest", s.have.live.count,
			s.have.ended.count, s.summary.live.count, s.summary.ended.count)
	case s.bodies != s.expects:
		return fmt.Errorf("%d payloads and results were found, of %d, or not all are right", s.bodies.count, s.expects.count)
	case bodyOf(s.levels) != s.summary.levels && s.summary.levels.size > 0:
		return errors.New("the levels are not the latest")
	}
	return nil
}

func (s *survey) fault(bucket string, keys keyRange, reason string) {
	keys = keyRange{bytes.Clone(keys.low), bytes.Clone(keys.high)}
	s.faults = append(s.faults, fault{bucket: bucket, keys: keys, reason: reason})
}

// enter notes that a page is part of the tree. It reports false if it already was.
func (s *survey) enter(id uint64, p page) bool {
	for n := id; n <= id+p.more && n < s.count; n++ {
		if s.seen[n] {
			return false
		}
	}
	for n := id; n <= id+p.more && n < s.count; n++ {
		s.seen[n] = true
		s.used++
	}
	s.tell()
	return true
}

// tell reports each percent of progress. The survey is the first of the two passes of Open: see contents.tell.
func (s *survey) tell() {
	total := max(s.end, 1)
	if s.progress != nil && s.used*100/total > s.percent {
		s.percent = s.used * 100 / total
		s.progress.tell(int64(s.used*pageSize/2), int64(total*pageSize))
	}
}

// walk reads a page of a bucket, and those below it. The keys of the page should be in the range.
func (s *survey) walk(bucket string, id uint64, keys keyRange, depth int) {
	if id >= s.end || depth == len(s.buffers) || s.seen[id] {
		s.fault(bucket, keys, fmt.Sprintf("page %d can't be part of the tree there", id))
		return
	}
	p, ok := s.pages.read(id, s.buffers[depth])
	s.buffers[depth] = p.bytes
	if !ok {
		p.more = 0
		s.fault(bucket, keys, fmt.Sprintf("page %d is damaged", id))
	}
	if p.bytes == nil {
		return
	}
	if p.isOther(keys) {
		s.fault(bucket, keys, fmt.Sprintf("page %d has other keys", id))
		if keys.low != nil || keys.high != nil {
			return
		}
	}
	if !s.enter(id, p) {
		s.fault(bucket, keys, fmt.Sprintf("page %d is in the tree twice", id))
		return
	}
	if p.kind == leafPage {
		s.leaf(bucket, p, keys)
	} else {
		s.branch(bucket, p, keys, depth)
	}
}

// isOther reports whether a page is not the one with the keys of a range, but another or an earlier one. Then a key is outside
// of the range, and its value checks. The value of a key that was damaged does not.
func (p *page) isOther(keys keyRange) bool {
	if p.count == 0 {
		return false
	}
	if first := p.element(0); first.ok && !keys.has(first.key) {
		return true
	}
	if p.kind != leafPage {
		return false
	}
	for e := range p.elements() {
		if !e.ok || keys.has(e.key) {
			continue
		}
		_, notRecord := unseal(checksum(e.key), e.value)
		_, notBody := unseal(bodySum(e.key), e.value)
		if notRecord == nil || notBody == nil {
			return true
		}
	}
	return false
}

// branch reads the pages below a page. If its keys are not in order, any key may be in any of them.
func (s *survey) branch(bucket string, p page, keys keyRange, depth int) {
	ordered, last := true, keys.low
	for i := range p.count {
		e := p.element(i)
		ordered = ordered && e.ok && keys.has(e.key) && (i == 0 || bytes.Compare(e.key, last) > 0)
		last = e.key
	}
	if !ordered {
		s.fault(bucket, keys, "the keys of a branch are damaged")
	}
	for i := range p.count {
		below := keys
		if ordered {
			if below.low = p.element(i).key; i+1 < p.count {
				below.high = p.element(i + 1).key
			}
		}
		s.places.noteAbove(p.element(i).child, p.at)
		s.walk(bucket, p.element(i).child, below, depth+1)
	}
}

// leaf reads the elements of a page. An element whose value does not check is one fault, and those after it are read.
func (s *survey) leaf(bucket string, p page, keys keyRange) {
	var last []byte
	for e := range p.elements() {
		if !e.ok || e.isBucket || !keys.has(e.key) || last != nil && bytes.Compare(e.key, last) <= 0 {
			s.fault(bucket, keys, "an element is damaged")
			continue
		}
		if err := s.entry(bucket, e); err != nil {
			if !errors.Is(err, errDamaged) {
				s.newer = err
			}
			s.fault(bucket, keys, "a value does not check")
			if len(e.key) == 8 {
				s.faults[len(s.faults)-1].number = binary.BigEndian.Uint64(e.key)
			}
			continue
		}
		last = e.key
	}
}

// entry reads a value of a bucket.
func (s *survey) entry(bucket string, e element) error {
	switch bucket {
	case string(calls):
		return s.call(e)
	case string(bodies):
		content, err := unseal(bodySum(e.key), e.value)
		if err == nil && len(e.key) == 8 {
			s.bodies.addBody(binary.BigEndian.Uint64(e.key), bodyOf(content))
			s.places.noteBody(e)
		}
		return err
	case string(aside):
		d, err := decodeDamage(e.key, e.value)
		if err == nil {
			s.aside = append(s.aside, d)
		}
		return err
	case string(levels):
		if string(e.key) == string(second) {
			_, err := decodeSummary(e.value)
			return err
		}
		b, err := unseal(checksum(only), e.value)
		s.levels = bytes.Clone(b)
		return err
	}
	sum, err := decodeSummary(e.value)
	s.summary = sum
	return err
}

func (s *survey) call(e element) error {
	r := &s.record
	if err := r.decode(e.key, e.value); err != nil {
		return err
	}
	if s.calls == nil {
		s.calls = make([]foundCall, 0, s.bodies.count) // most calls have a payload, and these were read before
	}
	s.calls = append(s.calls, foundCall{r.number, hashOf(r.id), r.rank, r.handler, r.state})
	s.have.add(r.state, r.number, e.value)
	if b := r.body(); b.size > 0 {
		s.expects.addBody(r.number, b)
	}
	if r.state == ended {
		s.ended = append(s.ended, endedCall{r.number, r.endedAt})
	}
	if r.left.seq > s.keys[r.key].seq {
		if s.keys == nil {
			s.keys = map[string]keyLeft{}
		}
		s.keys[r.key] = r.left
	}
	s.places.noteCall(r, e)
	return nil
}

// body returns the record's payload, or its result if it has ended.
func (r *record) body() body {
	if r.state == ended {
		return r.results
	}
	return r.payload
}
