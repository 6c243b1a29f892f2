// Package retry decides whether and when a failed attempt is tried again.
//
// It has three parts, and each can be used alone:
//
//   - A [Policy] holds the number of retries, the exponential backoff with jitter, and the longest wait
//     that a server may ask for. [Policy.Decide] decides what happens after a failed attempt.
//   - A [Classifier] turns an error into a [Verdict]. [Classify], the default, retries only errors that
//     are marked. [Network] also retries timeouts and lost connections, and [Any] all errors but those that
//     are marked as permanent.
//   - The markers [RateLimited], [After], [AfterAlone], [Transient] and [Permanent] say what an error
//     means, so that a classifier does not have to guess. [Verdict.Mark] marks an error with a whole
//     verdict, and [Marked] finds the marks.
//
// A [Budget] is for schedulers. It limits how many retries all calls make together.
//
// All functions are pure. They read no clock, start no goroutine and share no random source. The same
// policy, call number and attempt give the same delay on every machine and in any order. All of it is
// safe for concurrent use.
package retry
