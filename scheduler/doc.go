// Package scheduler lets calls to rate-limited APIs through as early as the quota
// allows, in a fair order, retries them properly, and loses none.
//
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50)})
//	defer s.Close()
//	err = s.Do(ctx, func(ctx context.Context) error { return client.Ping(ctx) })
//
// # Model
//
// A call is one piece of work; an attempt is one run of its function. Every attempt
// pays its cost in tokens out of the scheduler's budget, which refills with time. A
// call is queued (waiting for its tokens), running, backing off (waiting to be
// retried) or ended.
//
// One goroutine, the owner, has the budget and the queue to itself. Everything
// reaches it through one channel, and that makes one order of all that happens. It
// never waits for anybody and never runs anybody else's code: functions, classifiers
// and callbacks run on the goroutine of Do, or on one started for submitted work.
//
// # Which method
//
//   - [Scheduler.Do] runs a function here and now; [Value] does if it has a result.
//   - [Scheduler.Submit] hands it in and returns: no goroutine waits while it is queued.
//   - [Stream] runs a function for each of any number of inputs, in constant memory.
//   - [Scheduler.Reserve] takes a place in the queue for work that is done elsewhere.
//
// While calls of Do come often and no call is queued, they take the fast path: the owner
// leases the tokens that are there, and calls take them without asking it. Such a call costs
// a few atomic operations. Order, limits and accounts are the same. Calls with [CostOf] or a
// cost of 0 always ask the owner. There is no lease while a subscription has events of calls that succeed
// (Queued, Granted, Started, Succeeded), so that it misses none. The scheduler does not know
// how long a call on the fast path took: its [events.Times] begin with its first failure.
//
// # Order
//
//  1. Calls are granted in the order in which they reached the owner. Nobody overtakes
//     the head of the queue, so a call with a big cost is not starved by small ones.
//  2. A call with a [Priority] counts as having arrived earlier, by a step for each
//     point. So a call is only overtaken by calls that arrive less than a step after it
//     for each point that they have more: however many there are, it is not starved.
//  3. A retry keeps the place that its first arrival and its priority gave it. While it
//     backs off, it holds no token, no slot and no place that would hold up others.
//  4. A call that leaves, for whatever reason, leaves at once, and those behind it
//     are planned anew in the same step.
//
// # Limits and costs
//
// [Config.Limit] says how many tokens the budget holds and how fast they come:
// bucket.PerMinute(500).Burst(50) is 500 a minute, and at most 50 at once. A budget that is
// full lets its capacity go at once and refills meanwhile; for a server that counts
// requests in windows of time there is [bucket.Window]. An attempt pays 1 token, or what
// [Cost] says. What costs more than the budget can ever hold is refused with a
// [bucket.CostError], and does not wait for ever. [Config.MaxInFlight] bounds how many
// functions run at once, [Config.MaxQueued] how many calls wait.
//
// # Several budgets
//
// With [Config.Limits] there are several budgets, such as requests and tokens. A call
// pays from each of them ([CostOf]), all or nothing, when it is at the head of the one
// queue: it takes nothing from one while it waits for another. What it really cost can
// be settled while it runs ([Settle]). A server's word on what is left can be told with
// [Scheduler.Observe], which believes it only where that is less, and
// [Scheduler.Learn], which believes it altogether. While a call waits for one budget
// another may be full and lose what comes: so with several, an estimate is how long a
// call will wait at least, and a deadline is only refused if it can't be met.
//
// # Changing the plan
//
// Limits, caps and bounds may be changed and everything may be paused while calls
// wait: [Scheduler.SetLimit], [Scheduler.SetLimitOf], [Scheduler.SetMaxInFlight], [Scheduler.SetMaxQueued],
// [Scheduler.Pause], [Scheduler.PauseUntil]. What waits is planned anew at that instant.
// A call's deadline is held against the plan when it is queued, first or again, and
// whenever a server's wait, a pause or a new limit changes the plan: if it can't be
// met, the call ends at once with a [DeadlineError]. Being overtaken does not count as
// a change of plan; then the context ends the call when its time has come.
//
// # Cancellation
//
// A call ends when its context is done while it waits or backs off, and submitted work
// also through [Handle.Cancel]. Its place closes up in the same step, it has paid
// nothing for the attempt that it waited for, and a grant that crosses its path is given
// back. A function that runs is not given up: its context ends, and the call ends as
// the function does, so that a success stays one. The error is the context's cause,
// joined with the last attempt's.
//
// # Shutdown
//
// [Scheduler.Close] ends at once what waits, with [ErrClosed], cancels the contexts of
// submitted work that runs, and waits for no function. [Scheduler.Shutdown] takes
// nothing more and lets what was accepted finish until its context is done; what is
// left it returns in the order in which it would have been served, as plain values that
// can be written to a file and handed in again. [Snapshot] has the budget's level, which
// [Config.Level] takes up after a restart. After either, no method blocks.
//
// # Exactness
//
// A call at the head of the queue is granted at the first nanosecond at which its
// tokens exist. An owner that wakes late dates the grants at the instants at which they
// were due, up to 25 ms before it hands them over, so a late timer costs no tokens. After a
// longer stall, as of a stopped process, the budget counts as unused meanwhile, so that a
// server with the same limit sees no burst. A [bucket.Window] does not make up for any delay.
// [Snapshot] has a ledger that balances to the token.
//
// # Errors
//
// An error is retried only if the call's classifier says so; the default one,
// [retry.Classify], knows the markers of package retry and the methods RetryAfter and
// RateLimited, and never reads an error's text. When a server said when to come back,
// nobody is granted before then, and what waits is afterwards spread out at the
// refill rate.
//
// # Time
//
// All time is the configured clock's. The deadline of a context is compared with that
// clock too: with a mock, use contexts that are on the mock's time.
//
// The file semantics.md has all of this as numbered rules, with the tests that prove them,
// and inside.md how it works.
package scheduler
