package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/scheduler"
)

// Call is a call to be made, as plain data, so that it can outlive the process.
type Call struct {
	// ID names the call. A second Submit with the same ID makes no second call. So a Submit whose outcome is not
	// known can be repeated. Empty means an ID that Submit makes and returns.
	ID string

	// Handler is the name of the function in [Config.Handlers] that makes the call.
	Handler string

	// Payload is handed to the handler, as it is. It is kept on disk, and not in memory. Nil means an empty one.
	Payload []byte

	// Key is the key of the call: see [scheduler.Key]. Empty means none.
	Key string

	// Priority is the priority of the call: see [scheduler.Priority].
	Priority int

	// Cost is how many tokens each attempt pays, from each budget that is not in Costs. Zero means 1.
	Cost int64

	// Costs are how many tokens each attempt pays from the budgets that are named: see [scheduler.CostOf].
	Costs map[string]int64

	// NotBefore is when the call takes its place in the queue: see [scheduler.NotBefore]. A time that is not in
	// the future, such as zero, means at once. The call is let in even if the queue is full then.
	NotBefore time.Time
}

// maxID is the longest ID, in bytes.
const maxID = 1 << 10

// maxPayload is the largest payload or result, in bytes.
const maxPayload = 1 << 30

// check returns an error if no scheduler could take the call.
func (c *Call) check(handlers Handlers) error {
	switch {
	case len(c.ID) > maxID:
		return fmt.Errorf("journal: Call.ID has %d bytes: it may have at most %d", len(c.ID), maxID)
	case handlers[c.Handler] == nil:
		return fmt.Errorf("journal: there is no handler %q in Config.Handlers, only %q", c.Handler, slices.Sorted(maps.Keys(handlers)))
	}
	return errors.Join(checkSize("Call.Key", len(c.Key)), checkSize("Call.Payload", len(c.Payload)))
}

// checkSize returns an error for a payload or result that is too large for the file.
func checkSize(what string, bytes int) error {
	if bytes <= maxPayload {
		return nil
	}
	return fmt.Errorf("journal: %s has %d bytes: it may have at most %d: keep it elsewhere, and give its place instead", what, bytes, maxPayload)
}

// options returns the call's options for the scheduler.
func (c *Call) options() []scheduler.Option {
	opts := []scheduler.Option{scheduler.Tracked()}
	if c.Key != "" {
		opts = append(opts, scheduler.Key(c.Key))
	}
	if c.Priority != 0 {
		opts = append(opts, scheduler.Priority(c.Priority))
	}
	if c.Cost != 0 {
		opts = append(opts, scheduler.Cost(c.Cost))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Costs)) {
		opts = append(opts, scheduler.CostOf(name, c.Costs[name]))
	}
	if !c.NotBefore.IsZero() {
		opts = append(opts, scheduler.NotBefore(c.NotBefore))
	}
	return opts
}

// Handler makes a call. If it returns nil, the call has succeeded. The Classify of [Config.Scheduler] says which errors
// are retried, and its Retry how often. Without a Classify, marked errors are retried, such as those of retry.Transient.
// After any other error, and when no retry is left, the call becomes a [Letter].
//
// A handler may run more than once for the same call, since a process can die after the handler has done its work and
// before the journal has noted it. [Info] says whether that may be so.
type Handler func(ctx context.Context, payload []byte) error

// Handlers are handlers by name. The names are in the file, so they have to stay the same.
type Handlers map[string]Handler

// Info describes the call that a handler makes.
type Info struct {
	ID      string
	Handler string
	Key     string
	Attempt int // the number of the attempt, from 1; an attempt that is repeated keeps it

	// Repeated reports that a handler has begun this call before, and that it is not known how that ended: the process
	// has died meanwhile, or the journal was closed. What the handler does may have been done then.
	Repeated bool
}

// CallInfo describes the call whose handler was given ctx, or a context that ctx is derived from. It reports false for
// any other context.
func CallInfo(ctx context.Context) (Info, bool) {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		return r.info, true
	}
	return Info{}, false
}

// From returns the journal that makes the call whose handler was given ctx, or nil for any other context. A handler needs it,
// since [Open] lets calls go on before it has returned the journal.
func From(ctx context.Context) *Journal {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		return r.journal
	}
	return nil
}

// Result keeps bytes as the result of the call whose handler was given ctx, for [Journal.Wait]. It counts if the handler
// returns nil. The last result of an attempt counts. Result fails if ctx is not that of a handler that runs, or if the
// result has more than 1 GiB.
func Result(ctx context.Context, result []byte) error {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return errors.New("journal: Result needs the context of a handler")
	}
	if err := checkSize("the result", len(result)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.returned {
		return fmt.Errorf("journal: Result of call %q: its handler has returned: keep the result before it does", r.info.ID)
	}
	r.result = slices.Clone(result)
	return nil
}

// runKey is the context key for the run of a handler.
type runKey struct{}

// inside returns the run of this journal whose handler was given ctx, or nil for any other context.
func (j *Journal) inside(ctx context.Context) *run {
	if r, ok := ctx.Value(runKey{}).(*run); ok && r.journal == j {
		return r
	}
	return nil
}

// run is one attempt of a call, from its beginning until its end is in the file.
type run struct {
	journal *Journal
	record  *record
	info    Info
	way     *passage

	mu        sync.Mutex
	returned  bool
	succeeded bool
	err       string // the text of the error that it has returned
	result    []byte
}

// finish notes that the handler has returned.
func (r *run) finish(succeeded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned, r.succeeded = true, succeeded
}

// outcome returns what the handler has made of the call.
func (r *run) outcome() (succeeded bool, result []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.succeeded, r.result
}
