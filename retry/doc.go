// Package retry decides whether a failed attempt is tried again, and when.
//
// It has three parts, each usable alone:
//
//   - A [Policy] says how often and how long: exponential backoff with jitter, and how long a
//     server's own wait may be. [Policy.Decide] is the one question asked after a failed attempt.
//   - A [Classifier] turns an error into a [Verdict]. [Classify] is the default and retries only
//     what says of itself that it may be; [Network] also retries timeouts and lost connections.
//   - The markers [RateLimited], [After], [AfterAlone], [Transient] and [Permanent], and [Verdict.Mark] for a whole
//     verdict, let a caller say what an error means, so that no classifier has to guess. [Marked] finds them again.
//
// Everything here is a pure function of its arguments. No clock is read, no goroutine is started and
// no shared random source is used: the same policy, call number and attempt give the same
// delay, on every machine and in any order. All of it is safe for concurrent use.
package retry
