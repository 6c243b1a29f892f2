// Package ratehttp puts a scheduler between an [http.Client] and its servers: requests wait for their turn, are
// tried again where that is safe, and what servers say of their limits is obeyed by all of them.
//
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50), MaxInFlight: 8})
//	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s}}
//	res, err := client.Get("https://api.example.com/things") // as ever
//
// A client of some API that takes an http.Client is given this one. If it retries by itself, have it not: its retries
// would pay, too, but lose their place in the queue and multiply ours.
//
// # A request is a call
//
// Each attempt waits for its turn and pays, redirects included, since they are requests of their own. On a lost connection net/http may send a
// request again by itself. That does not wait, but pays as well. A redirected request also waits as long as the redirect asks by Retry-After,
// for up to two minutes; above that it is a [retry.ErrWaitTooLong]. An attempt runs, and
// keeps its slot of [scheduler.Config.MaxInFlight], for as long as net/http keeps its connection: until the body of its response is
// closed, has been read to its end or fails, or its context is done. So close bodies, as ever. A response that calls
// for a retry frees the slot at once. There is no goroutine for any of this.
//
// With MaxInFlight, a request made inside a call of the same scheduler needs a slot of its own. If calls that wait for such
// requests hold all slots, there is a deadlock: use a separate scheduler for the requests, or for the calls.
//
// # What is tried again
//
// [Attempt.Verdict] says which outcomes are worth it, and [Transport.Classify] may overrule it. The scheduler's policy says how often and
// when. A server that says when to come back (Retry-After and its many relatives) holds up
// everybody until then, and budgets are empty afterwards, so that nobody comes in a herd. A retry keeps its place. A request is sent again only if its body can be had again, which is what
// GetBody is for (http.NewRequest sets it for bytes and strings), and if that does no harm:
//
//   - it was refused: 429, or a 403 or 413 that says to come back. Nothing was done, so this is for all methods;
//   - no server has begun with it ([retry.NotProcessed]): there was no connection, or an HTTP/2 server refused the stream;
//   - the server asks for it: x-should-retry;
//   - it is [Idempotent], or [Transport.Repeatable] says so. A POST to a model, which costs money but changes
//     nothing, is a case for that.
//
// When retrying is over, the last response is returned as it came. A response that is not the last is closed. With HTTP/1 up
// to 64 KiB of it are read before, for at most 250 ms, so that its connection can be used again. The request does not wait for that.
//
// Some APIs say only in the body how long to wait, or send an error with status 200. A Classify sees that by [Attempt.Peek], and reads
// Google's waits by [headers.RetryInfo].
//
// # Errors
//
// Events and errors made here show URLs without their queries and users, which may be secret. An [http.Client] puts the whole URL, but for
// the password, into the [url.Error] that it returns.
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
// [Tokens] says what is estimated, and [ReadUsage] which usage is known. Usage is read out of JSON and Server-Sent Events as the caller
// reads them, in constant memory. A request whose response has no usage, or is not read far enough, has cost what was estimated.
// [Tokens.Estimate] and [ReadUsage] serve programs that send their requests in another way.
//
// A request that may cost more than a budget ever holds ends at once with a [example.com/fairlead/bucket.CostError].
package ratehttp
