package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/safetext"
)

// Open opens the journal in a file, and makes a new one if there is none. The calls in it that have not ended go on, in
// the order in which they would have been made. Open fails if another process has the file open, or if there is no such
// folder.
func Open(path string, cfg Config) (*Journal, error) {
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	f, found, err := openFile(path, fileOptions{progress: &progress{user: cfg.Progress}, clock: cfg.clock(), keepEnded: cfg.KeepEnded, keepFor: cfg.KeepFor})
	if err != nil {
		return nil, err
	}
	j := &Journal{
		cfg: cfg, file: f, gate: newGate(), closing: make(chan struct{}), fed: make(chan struct{}), broken: make(chan struct{}),
		ids: newIndex(len(found.calls)), accepting: map[uint64]*accepting{}, byID: map[string]*accepting{}, running: map[uint64]*run{},
		suspects: map[uint64]bool{}, dead: map[uint64]bool{}, absent: map[uint64]bool{}, waiters: map[uint64]*waiter{},
		report: Report{Missing: map[string]int{}, Damaged: found.setAside}, lastFound: found.lastNumber,
	}
	j.work, f.options.forgot, f.db.NoSync = j.run, j.forgot, cfg.noSync
	clean, err := j.start(found)
	if err != nil {
		return nil, errors.Join(err, f.close(clean))
	}
	return j, nil
}

// start makes the scheduler, and resumes the calls in the file. If it fails, clean reports whether the file
// was closed cleanly before and has not changed since.
func (j *Journal) start(found *contents) (clean bool, err error) {
	if err := found.tell(0, 0); err != nil {
		return found.clean, err
	}
	saved, err := readSaved(found.levels)
	if err != nil {
		return found.clean, fmt.Errorf("journal %s: %w", j.file.path, err)
	}
	cfg := saved.configure(j.cfg.Scheduler)
	cfg.LastCall = found.lastNumber
	open, repairs, err := j.read(found)
	if err != nil {
		return found.clean, err
	}
	if j.s, err = scheduler.New(cfg); err != nil {
		return found.clean, fmt.Errorf("journal: Config.Scheduler: %w", err)
	}
	j.restoreKeys(found.keys)
	j.commits = startCommitter(j.file.path, func(b batch) error {
		b.levels = j.levels()
		j.noteKeys(b.changes)
		return j.file.commit(b)
	})
	go j.feed()
	if err = j.put(repairs); err == nil { // put also marks the file as open
		err = j.resume(found, open)
	}
	if err != nil {
		j.s.Close()
		<-j.fed
		j.runs.Wait()
		j.commits.stop()
		return false, err
	}
	j.tell()
	return false, nil
}

// read goes through all calls. It returns those that go on, by rank, and the changes to commit.
func (j *Journal) read(found *contents) (open []foundCall, repairs batch, err error) {
	open = found.calls[:0]
	for _, c := range found.calls {
		j.ids.addHash(c.hash, c.number)
		switch {
		case c.state == ended:
			continue
		case c.state == dead:
			j.dead[c.number] = true
			continue
		case j.cfg.Handlers[c.handler] == nil:
			j.absent[c.number] = true
			j.report.Missing[c.handler]++
			continue
		case c.state == running:
			repair, goesOn, err := j.cutOff(c.number, found.clean)
			if repairs.add(repair); err != nil {
				return nil, repairs, err
			}
			if !goesOn {
				continue
			}
		}
		open = append(open, c)
	}
	slices.SortFunc(open, func(a, b foundCall) int { return cmp.Or(a.rank.Compare(b.rank), cmp.Compare(a.number, b.number)) })
	j.report.Calls, j.report.Dead = len(open), len(j.dead)
	return open, repairs, nil
}

// cutOff decides about a call that ran when the file was closed or its process died. It returns the change to commit, if
// any, and whether the call goes on.
func (j *Journal) cutOff(number uint64, clean bool) (repair *change, goesOn bool, err error) {
	r, err := j.file.record(number)
	switch {
	case err != nil:
		return nil, false, err
	case clean && r.crashes > 0: // the attempt ran alone, and was canceled
		r.crashes--
		return &change{record: r}, true, nil
	case clean:
		return nil, true, nil
	case r.crashes >= j.cfg.MaxCrashes:
		j.dead[number] = true
		return deadOf(r, 0, r.crashed(), j.cfg.clock().Now()), false, nil
	}
	j.suspects[number] = true
	j.report.Suspects++
	return nil, true, nil
}

// crashed returns why a call is a dead letter during whose attempts the process has died too often.
func (r *record) crashed() string {
	reason := "the process has died once while this call ran alone"
	if r.crashes != 1 {
		reason = fmt.Sprintf("the process has died %d times while this call ran alone", r.crashes)
	}
	if r.lastErr != "" {
		return reason + "; before that its handler returned the error: " + r.lastErr
	}
	return reason + "; its handler has never returned an error"
}

// resume hands calls to the scheduler, in the order of their turns. It reads many at once, since a million transactions
// would take seconds.
func (j *Journal) resume(found *contents, open []foundCall) error {
	const many = 1000
	records, handles := make([]record, many), make([]*scheduler.Handle, 0, len(open))
	for some := range slices.Chunk(open, many) {
		if err := j.file.recordsOf(some, records); err != nil {
			return err
		}
		for i := range some {
			r := &records[i]
			r.costs = j.cfg.costsOf(r)
			h, err := j.s.Submit(background, j.work, scheduler.Tracked(), scheduler.Resumed(r.unfinished()))
			if err != nil {
				if err := j.refused(r, err); err != nil {
					return err
				}
			}
			handles = append(handles, h)
		}
		if err := found.tell(len(handles), len(open)); err != nil {
			return err
		}
	}
	j.s.Sync() // when it returns, the scheduler has taken or refused all of them
	for i, h := range handles {
		if h == nil || errors.Is(h.Err(), scheduler.ErrPending) || h.Call() != 0 {
			continue
		}
		r, err := j.file.record(open[i].number)
		if err == nil {
			err = j.refused(r, h.Err())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// costsOf returns what a call pays from budgets by name. A budget that is no longer in the configuration is not paid.
func (cfg Config) costsOf(r *record) map[string]int64 {
	costs := maps.Clone(r.costs)
	maps.DeleteFunc(costs, func(name string, _ int64) bool {
		_, all := cfg.Scheduler.Limits[name]
		_, own := cfg.Scheduler.PerKey.Limits[name]
		return !all && (!own || r.key == "")
	})
	return costs
}

// refused makes a dead letter of a call that the scheduler does not take up, for example since the capacity is now below
// its cost. It returns an error if the journal can't go on.
func (j *Journal) refused(r *record, why error) error {
	if errors.Is(why, scheduler.ErrClosed) {
		return j.closedErr()
	}
	c := deadOf(r, events.Refused, safetext.Of(why), j.s.Now())
	if err := j.put(batch{changes: []change{*c}}); err != nil {
		return err
	}
	j.over([]change{*c})
	return nil
}

// tell logs which handlers are missing, and which parts of the file were damaged.
func (j *Journal) tell() {
	for _, handler := range slices.Sorted(maps.Keys(j.report.Missing)) {
		j.warn("calls wait for a handler that is missing", slog.String("handler", handler), slog.Int("calls", j.report.Missing[handler]))
	}
	for _, d := range j.report.Damaged {
		j.warn("a part of the file could not be read and was set aside", slog.Any("damage", d))
	}
}

// forgot notes that a call that has ended is not in the file any more.
func (j *Journal) forgot(id string, number uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ids.remove(id, number)
}

// accept notes how the scheduler has accepted a call.
func (r *record) accept(u *scheduler.Unfinished) {
	r.state, r.rank, r.priority, r.cost, r.costs, r.key = waiting, u.Rank, u.Priority, u.Cost, u.Costs, u.Key
	if u.State == "later" {
		r.state, r.due = later, u.Due
	}
}

// unfinished describes a call for the scheduler that takes it up again.
func (r *record) unfinished() scheduler.Unfinished {
	u := scheduler.Unfinished{
		Call: r.number, State: "queued", Key: r.key, Rank: r.rank, Priority: r.priority, Cost: r.cost, Costs: r.costs,
		Attempts: r.attempts, Began: r.first, Due: r.due, Err: r.lastErr,
	}
	switch r.state {
	case running:
		u.State = "running"
	case backingOff:
		u.State = "backing off"
	case later:
		u.State = "later"
	}
	return u
}

// saved has what the file keeps of a scheduler. All of it is written with each commit.
type saved struct {
	Seed    uint64        `json:"seed"` // of the jitter
	Budgets []savedBudget `json:"budgets"`
}

// savedBudget is the level of a budget, its limit and the limit that the configuration had.
type savedBudget struct {
	Name       []byte       `json:"name,omitzero"` // not a string, in which JSON would replace what is not UTF-8
	Level      bucket.State `json:"level"`
	Limit      bucket.Limit `json:"limit,omitzero"`
	Configured bucket.Limit `json:"configured,omitzero"`
}

// levels returns what the scheduler has left now.
func (j *Journal) levels() []byte {
	snap := j.s.Snapshot()
	now := saved{Seed: snap.Seed}
	for _, b := range snap.Budgets {
		now.Budgets = append(now.Budgets, savedBudget{[]byte(b.Name), b.Level, b.Limit, limitOf(j.cfg.Scheduler, b.Name)})
	}
	text, err := json.Marshal(now)
	if err != nil {
		panic(err) // all of it can be written as JSON
	}
	return text
}

// limitOf returns the limit of a budget as configured.
func limitOf(cfg scheduler.Config, name string) bucket.Limit {
	if l, ok := cfg.Limits[name]; ok {
		return l.WithDefaults()
	}
	return cfg.Limit.WithDefaults()
}

func readSaved(text []byte) (s saved, err error) {
	if text != nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// configure returns the configuration of a scheduler that goes on with what was saved. A limit that was changed while an
// earlier scheduler ran stays changed, unless the program has another limit now.
func (s saved) configure(cfg scheduler.Config) scheduler.Config {
	cfg.Retry.Seed = cmp.Or(cfg.Retry.Seed, s.Seed)
	cfg.Levels, cfg.Limits = maps.Clone(cfg.Levels), maps.Clone(cfg.Limits)
	for _, b := range s.Budgets {
		name, level := string(b.Name), b.Level
		_, has := cfg.Limits[name]
		one := name == "" && len(cfg.Limits) == 0
		same := b.Configured == limitOf(cfg, name)
		if cfg.Stores[name] != nil || one && cfg.Store != nil { // the store has the rest
			level, same = bucket.State{At: level.At, Held: level.Held}, false
		}
		switch {
		case one:
			if cfg.Level = &level; same {
				cfg.Limit = b.Limit
			}
		case has:
			if cfg.Levels == nil {
				cfg.Levels = map[string]bucket.State{}
			}
			if cfg.Levels[name] = level; same {
				cfg.Limits[name] = b.Limit
			}
		}
	}
	return cfg
}
