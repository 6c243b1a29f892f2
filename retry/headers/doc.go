// Package headers reads what an HTTP response says about its server's limits: how long to wait, whether to
// come back at all, and how much of each budget is left. [Parse] is the main function; what it gives says
// everything in the same terms, whoever the server is:
//
//	res, err := client.Do(req)
//	...
//	seen := headers.Parse(res.Header, time.Now())
//	if res.StatusCode >= 400 {
//		return seen.Mark(res.StatusCode, errors.New(res.Status)) // retry.Classify knows what to do with it
//	}
//
// It knows
//
//   - RFC 9110: Retry-After in seconds or as a date in any of HTTP's three forms;
//   - OpenAI and Azure OpenAI: x-ratelimit-{limit,remaining,reset}-{requests,tokens}, retry-after-ms,
//     x-ms-retry-after-ms, x-should-retry;
//   - Anthropic: anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset};
//   - GitHub, and the many like it: x-ratelimit-{limit,remaining,used,reset,resource};
//   - GitLab and IETF drafts up to 6: RateLimit-{Limit,Remaining,Observed,Reset,Name} and RateLimit-Policy;
//   - IETF drafts 7, and 8 to 11: RateLimit and RateLimit-Policy as structured fields (RFC 9651);
//   - AWS: x-amz-retry-after; gRPC: grpc-retry-pushback-ms; Shopify: x-shopify-shop-api-call-limit.
//
// Seconds, milliseconds, durations such as 6m0s, points in time as RFC 3339, as an HTTP date or as a Unix time
// in seconds or milliseconds are told apart by their form and size: a number of more than 10⁹ seconds, which
// is 31 years, is a Unix time. Points in time are compared with the server's clock, as the response's Date and Age tell it.
// Without a Date, or if that is more than a day away from the given now, they are compared with the given now.
// All results are by the clock of that now.
//
// What a server sends may be nonsense. A field that cannot be read counts as absent, and is named in
// [Observations].Doubtful. Whatever is sent, no wait is negative, none overflows (it stays at the longest
// [time.Duration]), and no Remaining is negative (but for -1, unknown) or above its Limit. Where a field comes more
// than once, and where fields of one budget contradict each other, what is tighter counts. Only among the fields that
// ask to wait is there an order, which is Parse's; and any of them goes before a budget's reset, as the drafts want it.
//
// What is seen is advice. A client may slow down because of it, but should not go faster than it was
// told to by its owner: a server, or a proxy on the way, that promises more than there is would otherwise open the gates.
// A response out of a cache tells of the past, and is better not parsed.
//
// Parse reads no bodies. So it misses OpenAI's insufficient_quota, a 429 that no waiting cures; GitHub's
// secondary limit in a 403 without Retry-After; AWS's error codes; and Google's wait, which [RetryInfo] reads
// from a body. Mark such an error with [retry.Permanent], which wins over what Mark says, or
// with [retry.After], of which the longest wins.
//
// Everything here is a pure function of its arguments, and safe for concurrent use.
package headers
