package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Option is an option of one call: [Cost], [CostOf], [Priority], [Name], [Retry], [Classify],
// [AttemptTimeout], [OnProgress], [Key], [Weight], [NoWait], [MaxWait], [WaitUntilDeadline], [NotBefore], [Delay], [Resumed] and, for
// [Scheduler.Submit], [OnEnd] and [Tracked]. It is also an option of [Stream], for each of its calls.
type Option func(*options)

// options collects the options of a call. The zero value is a plain call.
type options struct {
	core.Options  // the core's
	cost          int64
	costSet       bool
	costsOf       []costOf
	policy        retry.Policy // if policySet; with its defaults once the call is prepared
	policySet     bool
	classify      retry.Classifier
	progress      func(Progress)
	onEnd         func(*Handle)
	tracked       bool
	timeout       time.Duration // of each attempt; 0: the scheduler's; noTimeout: none
	key           string
	weight        int
	weightSet     bool
	untilDeadline bool
	notBefore     time.Time
	delay         time.Duration
	resumed       *Unfinished // nil once the call has what it had
}

// forCore reports whether there are options for which a submitted call needs a detail.
func (o *options) forCore() bool {
	return o.Several || o.Name != "" || o.Priority != 0 || o.MaxWait != 0
}

// forRunner reports whether there are options for which a submitted call needs a runner.
func (o *options) forRunner() bool { return o.classify != nil || o.progress != nil || o.timeout != 0 }

// Cost sets how many tokens each attempt of the call pays. The default is 1, and 0 is allowed. With
// several budgets the call pays that from each for which it has no [CostOf]. A negative cost, or one above the limit's capacity, makes the call fail at once with a
// [bucket.CostError].
func Cost(tokens int64) Option {
	return func(o *options) { o.cost, o.costSet = tokens, true }
}

// hasOwnCost reports whether the call's cost was set, so that it may be settled.
func (o *options) hasOwnCost() bool { return o != nil && (o.costSet || len(o.costsOf) > 0) }

type costOf struct {
	budget string
	tokens int64
}

// CostOf sets how many tokens each attempt of the call pays from one of several budgets: see
// [Config.Limits] and [PerKey]. From other budgets it pays its [Cost], or 1. The call fails at once with
// [ErrNoBudget] if there is no such budget, or if it is one of PerKey and the call has no [Key].
func CostOf(budget string, tokens int64) Option {
	return func(o *options) { o.costsOf = append(o.costsOf, costOf{budget, tokens}) }
}

// Priority makes a call count as having arrived p steps earlier, or later if p is negative: see
// [Config.PriorityStep]. With n points more, a call overtakes only calls that arrived less than n
// steps before it, so it can't starve them. Calls of the same priority stay FIFO, and a retry
// keeps its priority. [Handle.SetPriority] changes the priority of submitted work later.
func Priority(p int) Option {
	return func(o *options) { o.Priority = p }
}

// NoWait refuses the call with a [WouldWaitError] unless its first attempt can start at once,
// with no call ahead, its tokens there and a free slot. Its retries wait as others do. NoWait is the same as
// [MaxWait] of 0.
func NoWait() Option { return MaxWait(0) }

// MaxWait ends the call with a [WouldWaitError] unless its first attempt can start within d after it arrives. The
// call ends as soon as that is certain. It is refused if its turn is expected later, and it leaves the queue if a hold,
// a pause or a new limit makes its turn later. If other calls overtake it, or only a free slot is missing, it ends when
// d has passed. A d that is not positive refuses each call that can't start at once. Of NoWait and MaxWait the last
// one given counts.
//
// MaxWait bounds the wait and not the function, while a deadline of the context bounds both. Its retries wait
// as others do. With [NotBefore] or [Delay], d counts from the arrival, and a d that is not positive refuses the call.
// In a [Stream] the wait for a place of [Parallel] does not count. With [WaitForRoom] the wait for room counts.
func MaxWait(d time.Duration) Option {
	if d <= 0 {
		d = core.NoWait
	}
	return func(o *options) { o.MaxWait = d }
}

// WaitUntilDeadline makes the call wait until its context is done, even if its turn is expected
// later, in the hope that calls ahead of it leave. Without it such a call ends at once with a
// [DeadlineError].
func WaitUntilDeadline() Option {
	return func(o *options) { o.untilDeadline = true }
}

// NotBefore makes the call arrive at t, on the scheduler's clock, and not when it is made. It takes its
// place in the queue then, behind the calls that came before t, and counts for [Config.MaxQueued] from
// then on. Submitted work takes no goroutine until it starts. [Scheduler.Do] waits. A t that is not in
// the future makes no difference. Of NotBefore and [Delay] the later instant counts.
//
// The call is accepted or refused at once. It is refused with [NoWait], and with a [DeadlineError] if
// the deadline of its context comes before t, even with [WaitUntilDeadline]. [Scheduler.Shutdown] does
// not wait for t: it ends the call and returns it.
//
// The distance to t is measured when the call is made. A wall clock that is set afterwards does not
// move the call, and it comes later by as long as the machine sleeps.
func NotBefore(t time.Time) Option {
	return func(o *options) { o.notBefore = t }
}

// Delay makes the call arrive d after it is made: see [NotBefore]. A d that is not positive makes no
// difference.
func Delay(d time.Duration) Option {
	return func(o *options) { o.delay = d }
}

// Name names the call in events, progress, logs and reports.
func Name(name string) Option {
	return func(o *options) { o.Name = name }
}

// Retry sets the call's retry policy. A zero Seed stands for the scheduler's.
func Retry(p retry.Policy) Option {
	return func(o *options) { o.policy, o.policySet = p, true }
}

// Classify sets the call's classifier. Nil stands for the scheduler's. A panic in it ends the
// call with a [PanicError].
func Classify(judge retry.Classifier) Option {
	return func(o *options) { o.classify = judge }
}

// OnProgress calls f when the call has to wait for tokens and when it is going to be retried. It
// runs on the goroutine of Do, before the next attempt, so f may block and may call anything. A
// panic in f is dropped. A submitted call with a progress function keeps a goroutine while it has
// not ended. Nil stands for no function.
func OnProgress(f func(Progress)) Option {
	return func(o *options) { o.progress = f }
}

// These errors are for mistakes that would otherwise panic later, far from where they were made.
var (
	errNilContext = retry.Permanent(errors.New("scheduler: nil context: pass context.Background() if there is none"))
	errNilFunc    = retry.Permanent(errors.New("scheduler: nil function: there is nothing to run"))
	errNilInputs  = retry.Permanent(errors.New("scheduler: nil inputs: there is nothing to read"))
)

// prepare checks the arguments of a call and fills it in.
func (s *Scheduler) prepare(c *call, ctx context.Context, fn func(context.Context) error, opts []Option) error {
	s.mustBeMade()
	switch {
	case ctx == nil:
		return errNilContext
	case fn == nil:
		return errNilFunc
	}
	s.fill(c, ctx, fn)
	if len(opts) > 0 {
		if err := s.apply(c, opts); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return causeOf(ctx)
	}
	return nil
}

// fill sets the context and the function of a call without options.
func (s *Scheduler) fill(c *call, ctx context.Context, fn func(context.Context) error) {
	c.ctx, c.fn = ctx, fn
	c.Cost = 1
	done := ctx.Done()
	if done == nil {
		return
	}
	if c.runner != nil {
		c.runner.done = done
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.Deadline = deadline.Sub(s.origin)
	}
}

// apply collects the options of a call, and sets its fields from them. Submitted work keeps only
// what is needed later, since a million calls may wait.
func (s *Scheduler) apply(c *call, opts []Option) error {
	var o *options
	if c.runner != nil {
		o = c.runner.options // of an earlier Do, and cleared
	}
	if o == nil {
		o = spareOptions.Get().(*options)
	}
	for i, opt := range opts {
		if opt == nil {
			return retry.Permanent(fmt.Errorf("scheduler: option %d is nil", i+1))
		}
		opt(o)
	}
	if o.onEnd != nil {
		if err := c.setOnEnd(o.onEnd); err != nil {
			return err
		}
	}
	if o.tracked {
		if err := c.track(); err != nil {
			return err
		}
	}
	if err := c.setKey(o); err != nil {
		return err
	}
	if o.resumed != nil {
		if err := s.resume(c, o); err != nil {
			return err
		}
	}
	if o.hasOwnCost() { // else it costs 1, for which each budget has room
		if err := s.setCosts(c, o); err != nil {
			return err
		}
	}
	if o.policySet {
		if err := s.setPolicy(c, o); err != nil {
			return err
		}
	}
	s.setInstants(c, o)
	if c.Watched = o.progress != nil; c.handle() == nil || o.forRunner() {
		c.ensureRunner().options = o
	}
	if c.handle() == nil || o.forCore() {
		c.SetOptions(&o.Options)
	} else if !o.forRunner() {
		*o = options{}
		spareOptions.Put(o)
	}
	return nil
}

// spareOptions has options that no call keeps. All of them are zero.
var spareOptions = sync.Pool{New: func() any { return new(options) }}

// setPolicy sets the retry policy of a call that has one of its own.
func (s *Scheduler) setPolicy(c *call, o *options) error {
	if err := o.policy.Validate(); err != nil {
		return retry.Permanent(err)
	}
	if o.policy.Seed == 0 {
		o.policy.Seed = s.retry.Seed
	}
	policy := &o.policy
	if c.handle() != nil { // it may outlive its options
		policy = new(retry.Policy)
		*policy = o.policy
	}
	c.SetPolicy(policy)
	return nil
}

// setInstants sets when a call arrives, and that its deadline may end its wait.
func (s *Scheduler) setInstants(c *call, o *options) {
	at, later := s.notBefore(o)
	if later {
		c.SetNotBefore(at)
	}
	if o.untilDeadline && !(later && at > c.Deadline) {
		c.Deadline = bucket.Forever
	}
}

// notBefore returns when a call with these options arrives, if that is in the future.
func (s *Scheduler) notBefore(o *options) (at time.Duration, later bool) {
	if o.notBefore.IsZero() && o.delay <= 0 {
		return 0, false
	}
	now := s.clock.Now()
	d := o.delay
	if !o.notBefore.IsZero() {
		d = max(d, o.notBefore.Sub(now))
	}
	return core.After(now.Sub(s.origin), max(0, d)), d > 0
}

// costBudget returns the index of the budget of a CostOf.
func (s *Scheduler) costBudget(c *call, of costOf) (int, error) {
	i, err := s.anyBudget(of.budget)
	if err == nil {
		err = s.checkPayer(c, i, of.budget)
	}
	if err == nil && of.tokens < 0 {
		err = core.CheckCost(of.budget, bucket.Limit{}, of.tokens)
	}
	return i, err
}

// setCosts sets what a call costs, and checks that the budgets of all calls can ever grant it. The core checks
// the budgets of its key, since the key may have a limit of its own.
func (s *Scheduler) setCosts(c *call, o *options) error {
	if o.costSet {
		c.Cost = o.cost
	}
	if len(o.costsOf) > 0 {
		for i := range o.Costs {
			o.Costs[i] = c.Cost
		}
		o.Several = true
		for _, of := range o.costsOf {
			i, err := s.costBudget(c, of)
			if err != nil {
				return err
			}
			o.Costs[i] = of.tokens
		}
		c.Cost = o.Costs[0]
	}
	for i, one := range *s.limits.Load() {
		cost := c.Cost
		if o.Several {
			cost = o.Costs[i]
		}
		if err := core.CheckCost(one.name, one.limit, cost); err != nil {
			return err
		}
	}
	return nil
}
