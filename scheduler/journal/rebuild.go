package journal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// repair replaces a damaged file by a new one that has the undamaged calls. The damaged file stays beside it.
// repair returns the damages.
func (f *file) repair(p *pages, damage error) ([]Damage, error) {
	s, err := newSalvage(p)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", err, damage)
	}
	now := f.options.clock.Now().UTC()
	broken := unusedName(f.path + ".broken-" + now.Format("20060102T150405.000"))
	why := fmt.Sprintf("the file was damaged (%v) and is kept as %s", damage, broken)
	b := builder{salvage: s, chosen: s.choose(), now: now, told: map[uint64]bool{}, why: why}
	b.old, b.before = s.oldPages()
	b.next = summary{lastNumber: b.lastNumber(), seq: b.lastSeq() + 1}
	b.reportFaults()
	err = replace(f.path, func(db *bbolt.DB) error {
		if err := b.build(db); err != nil {
			return err
		}
		return keep(f.path, broken)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: the calls could not be saved into a new file: %w", damage, err)
	}
	return b.damages, nil
}

// unusedName returns a name that no file has: name, or name with a number.
func unusedName(name string) string {
	unused := name
	for n := 2; ; n++ {
		if _, err := os.Lstat(unused); err != nil {
			return unused
		}
		unused = fmt.Sprintf("%s-%d", name, n)
	}
}

// keep gives a file a second name, or copies it if the file system allows only one.
func keep(path, second string) error {
	if os.Link(path, second) == nil {
		return nil
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(second, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Sync(), to.Close())
}

// builder makes the new file.
type builder struct {
	*salvage
	chosen
	old     map[int64]bool // pages of calls that are not those of the last commit
	before  *survey        // of the tree of the commit before, if old has pages
	next    summary
	now     time.Time
	told    map[uint64]bool // the calls with a damage
	why     string
	damages []Damage
}

func (b *builder) lastSeq() (last uint64) {
	for _, found := range b.raw.calls {
		last = max(last, found.seq)
	}
	if b.target != nil {
		last = max(last, b.target.seq)
	}
	return last
}

func (b *builder) lastNumber() (last uint64) {
	for number := range b.raw.calls {
		last = max(last, number)
	}
	if b.target != nil {
		last = max(last, b.target.lastNumber)
	}
	return last
}

// verdict tells what became of the calls.
func (b *builder) verdict() string {
	told := b.why
	if b.mayMissAside() {
		told += "; what was set aside earlier may be missing"
	}
	switch {
	case b.exact && len(b.told) > 0:
		return told + fmt.Sprintf(": all calls were found, and the payloads or results of %d are damaged", len(b.told))
	case b.exact && b.endedToo:
		return told + ": all calls were saved"
	case b.exact:
		return told + ": all calls that had not ended were saved, and ids of calls that had may be forgotten"
	case !b.trusted:
		return told + fmt.Sprintf(": %d calls were saved, whether these are all is not known, and some may be as they were earlier", len(b.calls))
	}
	var live uint64
	for _, found := range b.calls {
		if !found.ended {
			live++
		}
	}
	return told + fmt.Sprintf(": %d calls that had not ended were saved, of %d, and some may be as they were earlier", live, b.target.live.count)
}

// report notes a damage, unless one of the same call is known.
func (b *builder) report(d Damage) {
	if b.told[d.Number] {
		return
	}
	if d.Found = b.now; d.Number != 0 {
		b.told[d.Number] = true
	}
	b.damages = append(b.damages, d)
}

// reportFaults reports the calls whose records are damaged, and those that may have ended, of which only an earlier record
// is left.
func (b *builder) reportFaults() {
	for number, at := range b.suspects {
		r, _, err := b.raw.record(number, at)
		if err != nil {
			r = &record{number: number}
		}
		b.report(b.damageOf(r, "its latest record is damaged, and it may have ended: this is an earlier one"))
	}
	for _, fault := range b.base.faults {
		if _, is := b.calls[fault.number]; !is && fault.number != 0 && fault.bucket == string(calls) {
			b.report(b.damageOf(&record{number: fault.number}, "its record is damaged"))
		}
	}
	if b.exact {
		return
	}
	for id := range b.base.places.bodies {
		if _, is := b.calls[id.number]; !is {
			b.report(b.damageOf(&record{number: id.number, payload: id.body}, "its record is missing"))
		}
	}
}

// damageOf describes a call that is set aside.
func (b *builder) damageOf(r *record, reason string) Damage {
	d := Damage{Number: r.number, ID: r.id, Handler: r.handler, Reason: reason}
	if value := b.bodyOf(r); len(value) > headSize {
		d.Payload = value[headSize:]
	}
	return d
}

// bodyOf returns the value of the record's payload or result, or nil.
func (b *builder) bodyOf(r *record) []byte {
	id := bodyID{r.number, r.body()}
	if value := b.base.places.bodyValue(id); value != nil {
		return value
	}
	return b.raw.bodyValue(id)
}

// build fills the new file.
func (b *builder) build(db *bbolt.DB) error {
	if err := db.Update(makeBuckets); err != nil {
		return err
	}
	const many = 5000
	for numbers := range slices.Chunk(slices.Sorted(maps.Keys(b.calls)), many) {
		err := db.Update(func(tx *bbolt.Tx) error {
			for _, number := range numbers {
				if err := b.add(tx, number); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	now := b.latestLevels()
	b.damages = slices.Insert(b.damages, 0, Damage{Reason: b.verdict(), Found: b.now})
	return db.Update(func(tx *bbolt.Tx) error {
		b.damages = append(b.damages, b.base.aside...)
		// bbolt takes many keys fast if they come in order.
		slices.SortStableFunc(b.damages, func(a, b Damage) int { return cmp.Compare(a.Number, b.Number) })
		for i, d := range b.damages {
			if b.exact && i == 0 && !b.mayMissAside() {
				continue // the verdict: there is nothing to be forgotten
			}
			key := binary.BigEndian.AppendUint32(keyOf(d.Number), uint32(i))
			if err := tx.Bucket(aside).Put(key, d.encode(key)); err != nil {
				return err
			}
		}
		return writeTotals(tx, &b.next, now)
	})
}

// add copies a call, or sets it aside if its payload is missing. It keeps an ended call without its result, for its id.
func (b *builder) add(tx *bbolt.Tx, number uint64) error {
	r, value, err := b.raw.record(number, b.calls[number])
	if err != nil {
		return err
	}
	inTree, certain := b.base.places.calls[number]
	if r.state != ended && inTree == b.calls[number] {
		if b.mayHaveEnded(r, inTree) {
			b.report(b.damageOf(r, "this may be an earlier record, and it may have ended"))
			return nil
		}
		if b.mayBeOld(inTree) {
			r.maybeRan = true
			value = r.encode()
		}
	}
	content := b.bodyOf(r)
	switch {
	case r.body().size == 0 || content != nil:
	case r.state != ended:
		b.report(b.damageOf(r, "its payload is damaged"))
		return nil
	case !certain && !b.endedToo:
		return nil // most likely it was forgotten
	default:
		b.report(b.damageOf(r, "its result is damaged"))
		r.results = body{}
		value = r.encode()
	}
	key := keyOf(number)
	if content != nil {
		if err := tx.Bucket(bodies).Put(key, content); err != nil {
			return err
		}
	}
	b.next.add(r.state, number, value)
	return tx.Bucket(calls).Put(key, value)
}

// mayMissAside reports whether damages that were found earlier may be missing.
func (b *builder) mayMissAside() bool { return b.base != b.last || len(b.base.gapsIn(aside)) > 0 }

// latestLevels returns the levels that were found. It reports if they are not those of the latest commit.
func (b *builder) latestLevels() []byte {
	found := b.base.levels
	if b.target != nil && b.target.levels != bodyOf(found) {
		found = b.raw.levels(b.target.levels)
	}
	if !b.trusted || b.target.levels != bodyOf(found) {
		b.report(Damage{Reason: "the levels of the budgets are damaged, or those of an earlier commit"})
	}
	return found
}
