// Package ratehttp puts a scheduler between an [http.Client] and its servers. Requests wait for their turn and are retried where
// that is safe. What a server says about its limits holds for all requests.
//
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50), MaxInFlight: 8})
//	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s}}
//	res, err := client.Get("https://api.example.com/things") // as usual
//
// If an API's own client takes an http.Client, pass it this one. Turn off that client's own retries: they pay too, but lose their
// place in the queue and multiply ours.
//
// # A request is a call
//
// Each attempt waits for its turn and pays. A redirect leads to a new request, which pays too. There are two more rules:
//
//   - net/http may send a request again by itself, when a connection is lost or an HTTP/2 server refuses the stream. Such a request
//     pays again, but does not wait for its turn;
//   - a redirected request waits as long as its redirect asks by Retry-After. If that is more than two minutes, it fails with
//     [retry.ErrWaitTooLong].
//
// An attempt keeps its slot of [scheduler.Config.MaxInFlight] as long as net/http keeps its connection. This is until the body of its
// response is closed, has been read to its end or fails, or its context is done. So close bodies, as always. A response that leads
// to a retry frees the slot at once.
//
// With MaxInFlight, a request made inside a call of the same scheduler needs a slot of its own. If all slots are held by calls that
// wait for such requests, there is a deadlock. Use a separate scheduler for the requests or for the calls. If the call is submitted,
// streamed or has a [scheduler.Cost], and the request has its context, the request ends with a [scheduler.DeadlockError] instead.
//
// # Many hosts or tenants
//
// One scheduler serves many servers, or many customers of one server, by [Transport.Key]. Requests with different keys share what the
// scheduler has in common fairly, and each key can have limits of its own:
//
//	s, err := scheduler.New(scheduler.Config{
//		Limit:  bucket.PerSecond(100), // all hosts together
//		PerKey: scheduler.PerKey{Limit: bucket.PerSecond(2), MaxInFlight: 4}, // each host
//	})
//	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Key: ratehttp.ByHost}}
//
// A Retry-After holds the requests of its key. If the keys are tenants of one server, set [scheduler.PerKey].Holds to [retry.ScopeAll],
// and it holds all requests. What a server says is left lowers the key's budget, or without one the budget that all keys share. So if
// hosts need no limit of their own, give each [example.com/fairlead/bucket.Unlimited], and no host lowers the budget of the others.
//
// # What is retried
//
// [Attempt.Verdict] says which outcomes are worth a retry, and [Transport.Classify] may overrule it. The scheduler's policy says how
// often and when. If a server asks for a wait, by Retry-After or a similar header, all calls wait, or those of its key. Afterwards the budget that it
// names is empty, or all budgets if it names none, so that the calls don't come back as a thundering herd. A retry keeps its place.
// A request is sent again only if its body can be read again by GetBody, which http.NewRequest sets for bytes and strings, and if
// one of these holds:
//
//   - it was refused with 429, or with a 403 or 413 that asks for a wait. The server has done nothing, so this applies to all methods;
//   - no server has begun with it ([retry.NotProcessed]), because there was no connection or an HTTP/2 server refused the stream;
//   - the server asks for a retry by x-should-retry;
//   - it is [Idempotent], or [Transport.Repeatable] returns true. A POST to a model costs money but changes nothing, so it may be
//     repeatable.
//
// When there is no further retry, the last response is returned as it came. Earlier responses are closed. With HTTP/1 up to 64 KiB of
// each are read first, for at most 250 ms, so that its connection can be used again. The request does not wait for that.
//
// Some APIs send the wait only in the body, or an error with status 200. A Classify can read the beginning of the body by
// [Attempt.Peek], and Google's waits by [headers.RetryInfo].
//
// # Timeouts
//
// [Transport.AttemptTimeout] ends an attempt whose headers do not come, and [Transport.ReadTimeout] a body that stalls. Neither includes
// the wait for the turn. With both, a request needs no timeout of [http.Transport] or of the server. [http.Client.Timeout] and a
// deadline of the request's context are for all of the request, with its waits, its backoffs and its body. Use the context's to say
// how long the result is of use.
//
// # Errors
//
// Events and errors of this package show URLs without their queries and users, which may be secret. The [url.Error] of an [http.Client]
// has the whole URL except for the password.
//
// # Budgets
//
// What is left of "requests", "tokens" and so on according to a response goes to [scheduler.Scheduler.Observe], which lowers the level
// of the scheduler's budget and never raises it. With [Transport.Tokens] the tokens of a request to a model are estimated before it is
// sent, and settled by the usage in its response, also at the end of a stream:
//
//	s, err := scheduler.New(scheduler.Config{Limits: bucket.Limits{
//		"requests": bucket.PerMinute(500),
//		"tokens":   bucket.PerMinute(200_000),
//	}})
//	t := &ratehttp.Transport{Scheduler: s, Tokens: &ratehttp.Tokens{Output: 1000}}
//
// [Tokens] describes the estimate, and [ReadUsage] the forms of usage. Usage is read in constant memory while the caller reads the
// JSON or Server-Sent Events. If the response has no usage, or is not read far enough, the estimate stays as the cost. Programs that
// send their requests in another way can use [Tokens.Estimate] and [ReadUsage].
//
// A request that may cost more than the capacity of a budget ends at once with a [example.com/fairlead/bucket.CostError].
package ratehttp
