// Package scheduler runs calls to rate-limited APIs as early as the quota allows, in a fair
// order, retries them with backoff, and loses none.
//
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50)})
//	defer s.Close()
//	err = s.Do(ctx, func(ctx context.Context) error { return retry.Transient(client.Ping(ctx)) })
//
// # Model
//
// A call is one piece of work, and an attempt is one run of its function. Every attempt pays its
// cost in tokens from the scheduler's budget, a token bucket. A call is later ([NotBefore]), queued
// (waiting for its tokens), running, backing off (waiting to be retried) or ended.
//
// One goroutine, the owner, has the budget and the queue to itself. Everything reaches it through
// one channel, which makes one order of all that happens. It never blocks and never runs user
// code. Functions, classifiers and callbacks run on the goroutine of Do, or on one started for
// submitted work.
//
// # Which method
//
//   - [Scheduler.Do] runs a function on the calling goroutine. [Value] does so for a function
//     with a result.
//   - [Scheduler.Submit] queues a function and returns. No goroutine waits while the call is
//     queued.
//   - [Stream] runs a function for each of any number of inputs, in constant memory.
//     If tens of thousands of calls wait at once, use Submit or Stream.
//   - [Scheduler.Reserve] takes a place in the queue for work that is done elsewhere.
//
// While calls of Do come often and no call is queued, they take the fast path. The owner leases
// the tokens that are there, and calls take them with a few atomic operations instead of asking
// it. Order, limits and accounts are the same. Calls with [CostOf], a [Key] or a cost of 0
// always ask the owner. There is no lease while a subscription has events of calls that succeed (Queued,
// Granted, Started, Succeeded), so that it misses none. The scheduler does not know how long a
// call on the fast path took, so its [events.Times] begin with its first failure.
//
// # Order
//
//  1. Calls are granted FIFO, in the order in which they reached the owner. No call overtakes the
//     head of the queue, so a call with a big cost is not starved by small ones (head-of-line
//     blocking is the price).
//  2. A call with a [Priority] counts as having arrived a step earlier for each point. With n
//     points more, it overtakes only calls that arrived less than n steps before it. So no call
//     is starved, however many others have priority.
//  3. A retry keeps the place that its first arrival and its priority gave it. While it backs off
//     it holds no token and no slot, and blocks no other call.
//  4. A call that is canceled or dropped leaves the queue at once, and the calls behind it move
//     up in the same step.
//
// # Limits and costs
//
// [Config.Limit] sets how many tokens the budget holds and how fast they come.
// bucket.PerMinute(500).Burst(50) is 500 a minute, and at most 50 at once. A full budget lets its
// capacity go as one burst and refills meanwhile. For a server that counts requests in windows of
// time there is [bucket.Window]. An attempt pays 1 token, or its [Cost]. A cost above the
// capacity is refused at once with a [bucket.CostError]. [Config.MaxInFlight] caps how many
// functions run at once, and [Config.MaxQueued] bounds how many calls wait.
//
// # Several budgets
//
// With [Config.Limits] there are several budgets, such as requests and tokens. A call at the head
// of the one queue pays from all of them ([CostOf]) or from none. While it waits for one budget
// it takes nothing from another. Its actual cost can be settled while it runs ([Settle]), and its
// function can ask for its number and attempt ([CallInfo]).
// [Scheduler.Observe] lowers a budget to what a server reports, and [Scheduler.Learn] takes over
// the server's limit and level. While a call waits for one budget, another may be full and lose
// its refill. So an estimate is a lower bound, and a deadline is only refused if it certainly
// can't be met.
//
// # Keys
//
// Calls may be made on behalf of many tenants, hosts or customers: see [Key]. The order above then holds
// within each key. Of several keys, the one goes first that has used the least of the shared budgets for
// its [Weight]. So a key with thousands of queued calls does not delay the one call of another. A key whose
// next call has waited its turn for 10 s goes first in any case ([PerKey.Patience]). With [Config.PerKey]
// each key has budgets and caps of its own. A key that waits for one of these delays no other. A server's
// wait holds only the key that was refused, unless [PerKey.Holds] says otherwise. [Scheduler.PauseKey] and
// [Scheduler.SetLimitOfKey] change one key, and [Scheduler.SnapshotOf] describes it. After a restart
// [Scheduler.RestoreKey] gives it what it had left. For its events, compare [events.Event.Key].
//
// # Many machines
//
// With [Config.Store] several processes, on any machines, share one budget. The store is in Redis (package
// bucket/redisbucket) or PostgreSQL (package bucket/pgbucket), or any other [bucket.Store]. All processes
// together are granted at most rate · t tokens by time t after the store began with an empty bucket. Tokens
// that one process does not need go to the others.
//
// A process does not ask the store for each call. It buys the tokens of the next second at most
// ([Config.Ahead]) in one exchange, like a lease, and grants each at the instant at which the shared bucket
// gets it. So processes with queued calls take turns, and the order within each is as without a store. A call
// that finds no token bought waits for an exchange with the store, and about Ahead longer if other processes
// use the whole rate. With [NoWait] such a call is refused.
//
// A store that is new or may have lost what it knew, as after a restart, begins with an empty bucket and sells
// nothing for 2.25 s. So the limit is kept whatever the store forgets. While the store is away, a process
// spends what it has bought, for 2 s at most. Then its calls wait, or go on at a part of the rate with
// [Config.ShareWhenAway]. [Snapshot] and the events StoreAway, StoreBack and StoreReset report this.
//
// If a server asks one process to wait, all processes wait. [Scheduler.SetLimit] sets the limit of all. If
// two processes have different limits in their Config, that of the first counts, and the other has the event
// LimitChanged. Keys share fairly within each process, not among processes. A closed scheduler gives its
// tokens back. Close does not wait for that, and Shutdown does, for a second at most. A process that is killed
// loses what it had bought, at most what it would have granted within Ahead and the cost of one call. The others
// then have the whole rate.
//
// # Changing the plan
//
// Limits, caps, bounds and pauses may be changed while calls wait, and apply to them at once:
// [Scheduler.SetLimit], [Scheduler.SetLimitOf], [Scheduler.SetMaxInFlight],
// [Scheduler.SetMaxQueued], [Scheduler.Pause], [Scheduler.PauseUntil]. [Handle.SetPriority]
// changes the priority of one call. A call's deadline is compared with the plan whenever the call is
// queued, and whenever a server's Retry-After, a pause or a new limit changes the plan. A call that can't
// meet its deadline ends at once with a [DeadlineError]. Being overtaken does not count as a change of
// plan. Then the context ends the call at its deadline. [MaxWait] is such a deadline for the wait alone.
//
// # Cancellation
//
// A call ends when its context is done while it waits or backs off, and submitted work also
// through [Handle.Cancel]. It leaves the queue at once and pays nothing for the attempt that it
// waited for. If it is granted at the same moment, its tokens are refunded. A running function is
// not abandoned. Its context ends, and the call ends as the function does, so that a success
// stays one. The error is the context's cause, joined with the last attempt's error.
//
// # Shutdown
//
// [Scheduler.Close] ends waiting calls at once with [ErrClosed], cancels the contexts of running
// submitted work, and waits for no function. [Scheduler.Shutdown] stops taking calls and lets
// accepted ones finish until its context is done. It returns the rest in the order in which they
// would have been served, as plain values that can be saved and submitted again. [Snapshot] has
// the budget's level, from which [Config.Level] goes on after a restart. Afterwards no method
// blocks.
//
// # Exactness
//
// A call at the head of the queue is granted at the first nanosecond at which its tokens exist.
// If the owner wakes late, it dates the grants at the instants at which they were due, up to 25
// ms before it hands them over. So a late timer costs no tokens. After a longer stall, such as a
// suspended process, the budget counts as unused meanwhile, and a server with the same limit sees
// no burst. A [bucket.Window] does not make up for any delay. [Snapshot] has a ledger that
// balances to the token.
//
// # Errors
//
// An error is retried only if the call's classifier finds it retryable. The default,
// [retry.Classify], knows the markers of package retry and the methods RetryAfter, RateLimited and
// Permanent, and never reads an error's text. An error that it does not know is returned at once.
// [retry.Network] also knows timeouts and lost connections, and [retry.Any] retries all but what is
// marked as permanent. A Retry-After holds all calls, or those of the same key.
// After it, queued calls come at the rate of the refill, not as a thundering herd.
//
// # Time
//
// All time comes from the configured clock. It is also compared with the deadlines of contexts.
// With a mock clock, use contexts on the mock's time.
//
// The file semantics.md has all of this as numbered rules with the tests that prove them, and
// inside.md describes how it works.
package scheduler
