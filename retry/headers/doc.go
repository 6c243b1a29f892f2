// Package headers parses what an HTTP response says about the server's rate limits. That is how long to
// wait, whether to retry, and how much of each budget remains. [Parse] returns it in the same form for
// all servers:
//
//	res, err := client.Do(req)
//	...
//	seen := headers.Parse(res.Header, time.Now())
//	if res.StatusCode >= 400 {
//		return seen.Mark(res.StatusCode, errors.New(res.Status)) // for retry.Classify
//	}
//
// Parse knows the fields of
//
//   - RFC 9110: Retry-After in seconds or as a date in any of HTTP's three forms;
//   - OpenAI and Azure OpenAI: x-ratelimit-{limit,remaining,reset}-{requests,tokens}, retry-after-ms,
//     x-ms-retry-after-ms, x-should-retry;
//   - Anthropic: anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset};
//   - GitHub and similar servers: x-ratelimit-{limit,remaining,used,reset,resource};
//   - GitLab and IETF drafts up to 6: RateLimit-{Limit,Remaining,Observed,Reset,Name} and RateLimit-Policy;
//   - IETF drafts 7, and 8 to 11: RateLimit and RateLimit-Policy as structured fields (RFC 9651);
//   - AWS: x-amz-retry-after;
//   - gRPC: grpc-retry-pushback-ms;
//   - Shopify: x-shopify-shop-api-call-limit.
//
// Parse recognizes seconds, milliseconds, durations such as 6m0s, RFC 3339 times, HTTP dates and Unix
// times in seconds or milliseconds by their form and size. A number of more than 10⁹ seconds, which is
// 31 years, is a Unix time. A point in time is compared with the server's clock, which the response
// gives by its Date and Age. If there is no Date, or if it differs from the given now by more than a
// day, the point in time is compared with now. All results are by the clock of now.
//
// A server may send nonsense. A field that cannot be parsed counts as absent, and [Observations].Doubtful
// names it. No wait is negative, and one that is too long becomes the longest [time.Duration]. Remaining
// is from 0 to Limit, or -1 if it is unknown. If a field occurs several times, or if fields of one budget
// contradict each other, the tighter limit counts. Of the fields that ask to wait, the first in the order
// of Parse counts. Each of them goes before a budget's reset, as the drafts require.
//
// The results are advice. A client may slow down because of them, but should not become faster than it
// was configured. Otherwise a server or proxy that promises too much would release a burst. Do not parse
// a response from a cache, because it is about the past.
//
// Parse reads no bodies. So it does not see OpenAI's insufficient_quota (a 429 that waiting does not
// change), GitHub's secondary limit in a 403 without Retry-After, AWS's error codes, and Google's wait,
// which [RetryInfo] parses. Mark such an error with [retry.Permanent], which wins over Mark, or with
// [retry.After], of which the longest wait counts.
//
// All functions are pure and safe for concurrent use.
package headers
