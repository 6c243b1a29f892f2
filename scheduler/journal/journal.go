package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// Config configures a journal. All fields but Handlers have defaults.
type Config struct {
	// Scheduler configures the scheduler that makes the calls. Its Level and Levels are for a new file. Later the
	// levels come from the file, and so does the seed if Retry.Seed is zero. With a MaxQueued or a PerKey.MaxQueued, its
	// Overflow must be [scheduler.RefuseNew], since the journal drops no call that it has accepted. Calls in the file pay
	// nothing from a named limit that is no longer configured.
	Scheduler scheduler.Config

	// Handlers make the calls. A call whose handler is missing here stays in the file. Handlers may run before Open has
	// returned the journal: see [From].
	Handlers Handlers

	// MaxCrashes is how often the process may die while a call runs alone, before the call becomes a dead letter. If a
	// process dies, the journal can't know which of the running calls has caused it, if any. So all of them are
	// suspects. After the next Open, each suspect runs again while no other call runs, and only a death then counts. A
	// handler that waits in [Journal.Wait], with its own context, does not run meanwhile. A suspect that does not return
	// keeps all others waiting: give handlers a time limit, such as the AttemptTimeout of Scheduler. Zero means 20.
	MaxCrashes int

	// KeepEnded is how many calls that have succeeded the journal remembers, by ID and with their results, and KeepFor
	// for how long. A Submit with such an ID makes no second call. For as long, it also knows what the keys of these calls have
	// left of their own limits. Zero means 100,000 calls and one hour.
	KeepEnded int
	KeepFor   time.Duration

	// Progress, if not nil, is told how far Open is with a large file, in bytes: done of total. Open waits for it, and
	// fails if it panics.
	Progress func(done, total int64)

	noSync bool // of tests that cut no power
}

// DefaultMaxCrashes is the MaxCrashes of a zero [Config].
const DefaultMaxCrashes = 20

// normal returns the configuration with its defaults, or all faults in it.
func (cfg Config) normal() (Config, error) {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Handlers)) {
		if cfg.Handlers[name] == nil {
			faults = append(faults, fmt.Errorf("journal: Config.Handlers[%q] is nil", name))
		}
	}
	if s := cfg.Scheduler; (s.MaxQueued > 0 || s.PerKey.MaxQueued > 0) && s.Overflow != scheduler.RefuseNew {
		faults = append(faults, fmt.Errorf("journal: Config.Scheduler.Overflow is %v: with MaxQueued it must be RefuseNew, since a call that is accepted is not dropped, and one that waits for room is not accepted", s.Overflow))
	}
	if cfg.MaxCrashes < 0 {
		faults = append(faults, fmt.Errorf("journal: Config.MaxCrashes is %d: it must be positive, or 0 for %d", cfg.MaxCrashes, DefaultMaxCrashes))
	}
	if cfg.KeepEnded < 0 {
		faults = append(faults, fmt.Errorf("journal: Config.KeepEnded is %d: it must be positive, or 0 for 100,000", cfg.KeepEnded))
	}
	if cfg.KeepFor < 0 {
		faults = append(faults, fmt.Errorf("journal: Config.KeepFor is %v: it must be positive, or 0 for an hour", cfg.KeepFor))
	}
	if err := cfg.Scheduler.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("journal: Config.Scheduler: %w", err))
	}
	cfg.Scheduler.Overflow = scheduler.RefuseNew // also after a SetMaxQueued
	cfg.Handlers = maps.Clone(cfg.Handlers)
	cfg.MaxCrashes = cmp.Or(cfg.MaxCrashes, DefaultMaxCrashes)
	cfg.KeepFor = cmp.Or(cfg.KeepFor, time.Hour)
	return cfg, errors.Join(faults...)
}

// clock returns the clock of the scheduler. Without one in its Config, the scheduler draws a seed for its jitter.
func (cfg Config) clock() clock.Clock {
	if cfg.Scheduler.Clock == nil {
		return clock.System()
	}
	return cfg.Scheduler.Clock
}

// Journal keeps calls in a file until they have ended. Make one with [Open]. All methods but Close may be called from any
// goroutine, also inside a handler.
type Journal struct {
	cfg     Config
	file    *file
	commits *committer
	s       *scheduler.Scheduler
	work    func(context.Context) error // the method run; one value for all calls, since each takes memory
	gate    *gate
	report  Report
	plain   sync.Once // starts saveLevels

	closing chan struct{} // closed when Close has begun
	fed     chan struct{} // closed when feed has ended
	broken  chan struct{} // closed when the file could not be written

	runs sync.WaitGroup // handlers

	mu        sync.Mutex
	ids       index
	accepting map[uint64]*accepting // calls that the scheduler has accepted, until they are in the file
	byID      map[string]*accepting // calls that are being submitted
	running   map[uint64]*run       // until the end of the attempt is in the file
	suspects  map[uint64]bool
	dead      map[uint64]bool // dead letters
	absent    map[uint64]bool // calls whose handler is missing
	waiters   map[uint64]*waiter
	lastFound uint64 // the highest number that the file had when it was opened
	failed    error  // why the file could not be written
	isClosing bool
	isFed     bool
}

// Report tells what Open has found.
type Report struct {
	Calls    int            // calls that had not ended, without those of missing handlers
	Suspects int            // of these, those that ran when the process died: see Config.MaxCrashes
	Dead     int            // dead letters
	Missing  map[string]int // how many calls wait for each handler that is not in Config.Handlers
	Damaged  []Damage       // what could not be read, and was set aside
}

// Report returns what Open has found.
func (j *Journal) Report() Report { return j.report }

// Scheduler returns the scheduler that makes the calls, for calls that need not outlive the process, for events, to change
// limits, and to wait until no call is left ([scheduler.Scheduler.WaitIdle]). The ends of the last calls may not be in the file
// then, but are when Close has returned. What calls outside of the journal have paid is written once a second, so a crash
// forgets the last second of it. Leave [scheduler.Scheduler.Changes] and [scheduler.Tracked] to the journal, which needs all
// changes itself.
func (j *Journal) Scheduler() *scheduler.Scheduler {
	j.plain.Do(func() { go j.saveLevels(changesOf(j.s.Snapshot())) })
	return j.s
}

// Close closes the journal, which accepts no more calls and starts no more attempts. Until ctx is done, Close waits for
// the handlers that run. Then it cancels their contexts and waits for them to return. Calls that have not ended stay in
// the file, and Open goes on with them. An attempt that was canceled is made again. So is one whose handler returns
// ErrClosed, for example since it could not submit another call. Of several calls of Close, the first closes the journal,
// and the others return [ErrClosed].
//
// A handler that does not return when its context is done keeps Close waiting, since the call must not be made elsewhere
// meanwhile. If the process is ended then, the call is a suspect: see [Config.MaxCrashes]. Inside a handler, Close would
// wait for itself. With the context of the handler, it is an error at once.
func (j *Journal) Close(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if j.inside(ctx) != nil {
		return errors.New("journal: Close inside a handler would wait for itself: let another goroutine close the journal, with another context")
	}
	j.mu.Lock()
	first := !j.isClosing
	j.isClosing = true
	for number := range j.waiters {
		if j.running[number] == nil { // it will not end any more
			j.wake(number, nil)
		}
	}
	j.mu.Unlock()
	if !first {
		return ErrClosed
	}
	close(j.closing) // from now on mayRun refuses what is granted
	j.awaitRuns(ctx)
	j.s.Close()
	<-j.fed
	j.runs.Wait()
	err := j.keepLate()
	j.commits.stop()
	j.mu.Lock()
	failed := j.failed
	j.mu.Unlock()
	if failed != nil {
		err = failed // the cause
	}
	return errors.Join(err, j.file.close(err == nil))
}

// awaitRuns waits until no handler runs, or ctx is done.
func (j *Journal) awaitRuns(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		j.runs.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	case <-j.broken:
	}
}

// keepLate writes the ends of calls whose handlers have returned after the scheduler was closed, and the last levels.
func (j *Journal) keepLate() error {
	j.mu.Lock()
	var b batch
	for _, r := range j.running {
		if succeeded, result := r.outcome(); succeeded {
			b.add(endOf(r.record, result, j.s.Now()))
		}
	}
	failed := j.failed
	j.mu.Unlock()
	if failed != nil {
		return nil
	}
	return j.put(b)
}

// put commits a batch. If that fails, the journal has failed.
func (j *Journal) put(b batch) error { return j.committed(j.commits.begin(b)) }

// committed waits until a batch is committed.
func (j *Journal) committed(p *put) error {
	err := <-p.committed
	if c := new(commitError); errors.As(err, &c) {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
		j.fail(err)
	}
	return err
}

// fail notes that the file could not be written. No attempt is started any more.
func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return
	}
	j.failed = err
	close(j.broken)
	go j.s.Close()
}

// err returns why nothing is accepted, or nil.
func (j *Journal) err() error {
	switch {
	case j.failed != nil:
		return j.failed
	case j.isClosing || j.isFed:
		return ErrClosed
	}
	return nil
}

// closedErr returns why the scheduler was closed.
func (j *Journal) closedErr() error { return cmp.Or(j.err(), ErrClosed) }

// saveLevels commits the levels of the budgets once a second, if more than the refill has changed them.
func (j *Journal) saveLevels(saved []budgetChanges) {
	tick := j.s.Clock().NewTimer(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C():
			tick.Reset(time.Second)
		case <-j.closing:
			return
		case <-j.broken:
			return
		}
		now := changesOf(j.s.Snapshot())
		if !slices.Equal(now, saved) && j.put(batch{}) != nil {
			return // the journal has failed
		}
		saved = now
	}
}

// budgetChanges has what changes a budget, except the refill.
type budgetChanges struct {
	spent, refunded, adjusted int64
	limit                     bucket.Limit
}

func changesOf(snap scheduler.Snapshot) (all []budgetChanges) {
	for _, b := range snap.Budgets {
		all = append(all, budgetChanges{b.Ledger.Spent, b.Ledger.Refunded, b.Ledger.Adjusted, b.Limit})
	}
	return all
}

// damaged logs that the record of a call that has ended can't be read. It stays as it is, and the next Open sets it aside.
func (j *Journal) damaged(number uint64, err error) {
	j.wake(number, nil) // Wait finds the error
	j.warn("the record of a call that has ended can't be read", slog.Uint64("call", number), slog.Any("err", err))
}

// warn logs what the user should know. A log handler that panics does no harm.
func (j *Journal) warn(text string, args ...any) {
	defer func() { _ = recover() }()
	if l := j.cfg.Scheduler.Logger; l != nil {
		l.Warn("journal: "+text, append(args, slog.String("file", j.file.path))...)
	}
}
