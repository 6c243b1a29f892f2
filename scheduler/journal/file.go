package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"example.com/fairlead/clock"
)

// These are the buckets of the file. In calls and bodies, the key is the number of the call.
var (
	calls   = []byte("calls")  // records
	bodies  = []byte("bodies") // payloads of calls that have not ended, and results of those that have
	aside   = []byte("aside")  // what was damaged, with the reason
	levels  = []byte("levels") // of the budgets, with the second summary
	totals  = []byte("totals") // the summary
	only    = []byte("only")   // the key of the levels, and of the summary in totals
	second  = []byte("second") // the key of the second summary
	buckets = [][]byte{calls, bodies, aside, levels, totals}
)

// change tells what one commit does to one call. A payload or result that is nil stays as it was. In a call that
// has ended, only the result is kept.
type change struct {
	record          *record
	payload, result []byte
	forget          bool   // remove all of the call, as of a dead letter that is dropped
	left            string // what the key of the call has left; "" stays as it was
}

// batch is a set of changes that is committed whole or not at all. Levels that are nil stay as they were.
type batch struct {
	changes []change
	levels  []byte
}

// fileOptions are the options of openFile. All of them may be left out, except for the clock.
type fileOptions struct {
	lockWait  time.Duration // how long to wait for another process to close the file
	progress  *progress     // is told how far Open is; may be nil
	clock     clock.Clock
	keepEnded int                            // how many calls that ended are kept; 100,000 if 0
	keepFor   time.Duration                  // and how long; an hour if 0
	forgot    func(id string, number uint64) // is told after a commit of each call that had ended and is no longer kept
}

// endedCall is a call that is kept for its id and result.
type endedCall struct {
	number uint64
	at     time.Time
}

// file is the journal's file. Commits come from one goroutine. Payloads and results can be read from any.
type file struct {
	path    string
	options fileOptions
	db      *bbolt.DB
	lock    *lockFile
	sum     summary
	ended   []endedCall // the oldest first
}

// foundCall is a call that the survey has found. It is small, since a million calls may wait.
type foundCall struct {
	number  uint64
	hash    uint64 // of its id
	rank    time.Time
	handler string
	state   state
}

// contents tells what was found in the file.
type contents struct {
	file *file

	calls      []foundCall // all, with those that have ended, in order of number
	levels     []byte      // as in the last commit that had them; nil if none had or they are damaged
	keys       map[string]keyLeft
	clean      bool   // the file was closed by close(true)
	lastNumber uint64 // the highest number that was ever committed
	setAside   []Damage
	size       int64 // of the file, in bytes
}

// commit writes all of a batch or nothing of it. After an error nothing more may be committed, since what is on disk is
// not known.
func (f *file) commit(b batch) error {
	next, forgotten := f.sum, f.outdated(2*len(b.changes)+2)
	next.seq++
	next.clean = false
	var newlyEnded []endedCall
	ids := make([]string, len(forgotten))
	err := f.safely(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			w := writer{&next, tx.Bucket(calls), tx.Bucket(bodies)}
			w.calls.FillPercent, w.bodies.FillPercent = fullness, fullness
			for _, c := range b.changes {
				wasEnded, err := w.apply(c)
				if err != nil {
					return err
				}
				if c.record.state == ended && !wasEnded && !c.forget {
					newlyEnded = append(newlyEnded, endedCall{c.record.number, c.record.endedAt})
				}
			}
			for i, e := range forgotten {
				id, err := w.drop(e.number)
				if err != nil {
					return err
				}
				ids[i] = id
			}
			return writeTotals(tx, &next, b.levels)
		})
	})
	if err != nil {
		return fmt.Errorf("journal %s: commit: %w", f.path, err)
	}
	f.sum = next
	f.ended = append(f.ended[len(forgotten):], newlyEnded...)
	for i, id := range ids {
		if id != "" && f.options.forgot != nil {
			f.options.forgot(id, forgotten[i].number)
		}
	}
	return nil
}

// outdated returns up to n ended calls that are no longer kept.
func (f *file) outdated(n int) []endedCall {
	now, keep := f.options.clock.Now(), cmp.Or(f.options.keepEnded, 100_000)
	old := 0
	for old < min(n, len(f.ended)) && (len(f.ended)-old > keep || now.Sub(f.ended[old].at) > cmp.Or(f.options.keepFor, time.Hour)) {
		old++
	}
	return f.ended[:old]
}

// maxReason is how much of an error's text is kept, in bytes. It is written with each attempt.
const maxReason = 64 << 10

// cut returns the part of an error's text that is kept.
func cut(text string) string {
	if len(text) > maxReason {
		return text[:maxReason] + "…"
	}
	return text
}

// fullness is how full bbolt leaves a page that it splits. Numbers only grow, so that page gets no more
// records. Its records grow by an eighth when their calls start.
const fullness = 0.8

// writer applies changes in a transaction.
type writer struct {
	sum           *summary
	calls, bodies *bbolt.Bucket
}

// apply makes a change, and reports whether the call had ended before.
func (w *writer) apply(c change) (wasEnded bool, err error) {
	r := *c.record
	key := keyOf(r.number)
	if old := w.calls.Get(key); old != nil {
		before, err := decode(key, old)
		if err != nil {
			return false, fmt.Errorf("call %d: %w", r.number, err)
		}
		w.sum.remove(before.state, r.number, old)
		wasEnded, r.payload, r.results, r.left = before.state == ended, before.payload, before.results, before.left
	}
	if c.forget {
		return wasEnded, errors.Join(w.calls.Delete(key), w.bodies.Delete(key))
	}
	if c.left != "" {
		r.left = keyLeft{w.sum.seq, c.left}
	}
	if c.payload != nil {
		r.payload = bodyOf(c.payload)
	}
	if c.result != nil && r.state == ended {
		r.results = bodyOf(c.result)
	}
	if err := w.writeBody(key, &r, c); err != nil {
		return false, err
	}
	r.seq, r.lastErr = w.sum.seq, cut(r.lastErr)
	value := r.encode()
	w.sum.add(r.state, r.number, value)
	return wasEnded, w.calls.Put(key, value)
}

// writeBody stores the payload of a call, or its result if it has ended.
func (w *writer) writeBody(key []byte, r *record, c change) error {
	content, empty := c.payload, r.payload.size == 0
	if r.state == ended {
		content, empty = c.result, r.results.size == 0
	}
	switch {
	case empty:
		return w.bodies.Delete(key)
	case content == nil:
		return nil
	}
	return w.bodies.Put(key, seal(bodySum(key), append(make([]byte, headSize, headSize+len(content)), content...)))
}

// drop removes a call that has ended, and returns its id. A call that has been put again meanwhile stays.
func (w *writer) drop(number uint64) (id string, err error) {
	key := keyOf(number)
	r, err := decode(key, w.calls.Get(key))
	if err != nil {
		return "", fmt.Errorf("call %d: %w", number, err)
	}
	if r.state != ended {
		return "", nil
	}
	_, err = w.apply(change{record: r, forget: true})
	return r.id, err
}

// record returns the record of a call. It fails with errAbsent if there is none.
func (f *file) record(number uint64) (r *record, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		key := keyOf(number)
		v := tx.Bucket(calls).Get(key)
		if v == nil {
			return errAbsent
		}
		r, err = decode(key, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("journal %s: call %d: %w", f.path, number, err)
	}
	return r, nil
}

// recordsOf reads the records of calls into records, in one transaction.
func (f *file) recordsOf(found []foundCall, records []record) error {
	err := f.view(func(tx *bbolt.Tx) error {
		at := tx.Bucket(calls).Cursor()
		for i, c := range found {
			key := keyOf(c.number)
			var k, v []byte
			if i > 0 && found[i-1].number+1 == c.number {
				k, v = at.Next()
			}
			if !bytes.Equal(k, key) {
				k, v = at.Seek(key)
			}
			if !bytes.Equal(k, key) {
				return fmt.Errorf("call %d: %w", c.number, errAbsent)
			}
			if err := records[i].decode(k, v); err != nil {
				return fmt.Errorf("call %d: %w", c.number, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal %s: %w", f.path, err)
	}
	return nil
}

// payload returns the payload of a call that has not ended, and result the result of one that has. If the checksum is
// wrong, the error wraps errDamaged.
func (f *file) payload(number uint64) ([]byte, error) { return f.body(number, false) }
func (f *file) result(number uint64) ([]byte, error)  { return f.body(number, true) }

func (f *file) body(number uint64, ofEnded bool) (content []byte, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		key := keyOf(number)
		v := tx.Bucket(calls).Get(key)
		if v == nil {
			return errAbsent
		}
		r, err := decode(key, v)
		if err != nil {
			return err
		}
		if ofEnded != (r.state == ended) {
			return errors.New("has no such part in its state")
		}
		content, err = r.open(tx.Bucket(bodies).Get(key))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("journal %s: call %d: %w", f.path, number, err)
	}
	return content, nil
}

// open returns a copy of the record's payload or result, from the value that is stored for it. No value is an empty one.
func (r *record) open(value []byte) ([]byte, error) {
	want := r.body()
	if want.size == 0 {
		return []byte{}, nil
	}
	content, err := unseal(bodySum(keyOf(r.number)), value)
	if err == nil && bodyOf(content) != want {
		err = errDamaged
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(content), nil
}

// view reads from the file.
func (f *file) view(read func(tx *bbolt.Tx) error) error {
	err := f.safely(func() error { return f.db.View(read) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// safely turns a panic of bbolt, and the fault of a page that can't be read, into an error.
func (f *file) safely(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errDamaged, v)
		}
	}()
	return do()
}

// close closes the file. If clean, it notes that nothing is left to be written, and forgets the damage that was told.
// After an error of commit, clean must be false.
func (f *file) close(clean bool) error {
	var err error
	if clean {
		next := f.sum
		next.seq++
		next.clean = true
		err = f.safely(func() error {
			return f.db.Update(func(tx *bbolt.Tx) error {
				return errors.Join(emptyAside(tx), writeTotals(tx, &next, nil))
			})
		})
	}
	err = errors.Join(err, f.safely(f.db.Close), f.lock.release())
	if err != nil {
		return fmt.Errorf("journal %s: close: %w", f.path, err)
	}
	return nil
}
