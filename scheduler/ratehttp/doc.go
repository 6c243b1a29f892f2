// Package ratehttp puts a scheduler between an [http.Client] and its servers: requests wait for their turn, are
// tried again where that is safe, and what servers say of their limits is obeyed by all of them.
//
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50), MaxInFlight: 8})
//	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s}}
//	res, err := client.Get("https://api.example.com/things") // as ever
//
// If an API's own client takes an http.Client, give it this one. Turn off that client's own retries: they pay too, but lose
// their place in the queue and multiply ours.
//
// # A request is a call
//
// Each attempt waits for its turn and pays. Redirects are requests of their own, and pay too. There are two more rules:
//
//   - net/http may send a request again by itself, when a connection is lost or an HTTP/2 server refuses the stream. That does not wait for
//     a turn, but it pays;
//   - a redirected request waits until its redirect lets it go (Retry-After). If that is more than two minutes, it fails with
//     [retry.ErrWaitTooLong].
//
// An attempt keeps its slot of [scheduler.Config.MaxInFlight] for as long as net/http keeps its connection: until the body of its response is
// closed, has been read to its end or fails, or its context is done. So close bodies, as ever. A response that calls
// for a retry frees the slot at once.
//
// With MaxInFlight, a request made inside a call of the same scheduler needs a slot of its own. If all slots are held by calls that wait
// for such requests, there is a deadlock. Use a separate scheduler for the requests or for the calls. If the call is submitted, streamed
// or has a [scheduler.Cost], and the request has its context, the request ends with a [scheduler.DeadlockError] instead.
//
// # What is tried again
//
// [Attempt.Verdict] says which outcomes are worth another attempt, and [Transport.Classify] may overrule it. The scheduler's policy says how
// often and when. If a server says when to come back (Retry-After and its many relatives), all calls wait until then. The budget that it says is
// used up is empty afterwards, or all budgets if it says none, so that the calls don't come back as a thundering herd. A retry keeps its
// place. A request is sent again only if its body can be had again, which is what
// GetBody is for (http.NewRequest sets it for bytes and strings), and if that does no harm:
//
//   - it was refused: 429, or a 403 or 413 that says to come back. Nothing was done, so this is for all methods;
//   - no server has begun with it ([retry.NotProcessed]): there was no connection, or an HTTP/2 server refused the stream;
//   - the server asks for it: x-should-retry;
//   - it is [Idempotent], or [Transport.Repeatable] says so. A POST to a model, which costs money but changes
//     nothing, is a case for that.
//
// When retrying is over, the last response is returned as it came. Earlier responses are closed. With HTTP/1 up to 64 KiB of each are
// read before, for at most 250 ms, so that its connection can be used again. The request does not wait for that.
//
// Some APIs say only in the body how long to wait, or send an error with status 200. A Classify can read the body's beginning by
// [Attempt.Peek], and Google's waits by [headers.RetryInfo].
//
// # Errors
//
// Events and errors made here show URLs without their queries and users, which may be secret. The [url.Error] that an [http.Client]
// returns has the whole URL except for the password.
//
// # Budgets
//
// What responses say is left of "requests", "tokens" and so on goes to [scheduler.Scheduler.Observe]: it
// lowers what we believe to have, and never raises it. With [Transport.Tokens] a request to a model is estimated
// before it is sent and settled by the usage in its response, also at the end of a stream:
//
//	s, err := scheduler.New(scheduler.Config{Limits: bucket.Limits{
//		"requests": bucket.PerMinute(500),
//		"tokens":   bucket.PerMinute(200_000),
//	}})
//	t := &ratehttp.Transport{Scheduler: s, Tokens: &ratehttp.Tokens{Output: 1000}}
//
// [Tokens] says what is estimated, and [ReadUsage] which forms of usage are known. Usage is read from JSON and Server-Sent Events as
// the caller reads them, in constant memory. If the response has no usage, or is not read far enough, the estimate stays as the cost.
// Programs that send their requests in another way can use [Tokens.Estimate] and [ReadUsage].
//
// A request that may cost more than a budget ever holds ends at once with a [example.com/fairlead/bucket.CostError].
package ratehttp
