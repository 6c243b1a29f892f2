// Package crawler fetches pages of many hosts, each at its own pace.
package crawler

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// Config is for a crawl with 200 connections. Each host gets a request a second on at most two of them, and
// what it asks for by Retry-After.
var Config = scheduler.Config{
	Limit:       bucket.Unlimited,
	MaxInFlight: 200,
	PerKey:      scheduler.PerKey{Limit: bucket.PerSecond(1), MaxInFlight: 2},
	Retry:       retry.Policy{MaxRetries: 3, MaxServerWait: 10 * time.Minute},
	Classify:    retry.Network,
}

// Page is the result for a URL: its body, or an error.
type Page = scheduler.Result[string, []byte]

// Pages fetches URLs, and yields each page when it has come. It reads up to ahead URLs before their turn, so that it
// finds other hosts behind many URLs of one.
func Pages(ctx context.Context, s *scheduler.Scheduler, client *http.Client, urls iter.Seq[string], ahead int) iter.Seq[Page] {
	fetch := func(ctx context.Context, url string) ([]byte, error) { return get(ctx, s, client, url) }
	return scheduler.Stream(ctx, s, urls, fetch, scheduler.LookAhead(ahead), scheduler.OptionsFor(func(page string) []scheduler.Option {
		u, err := url.Parse(page)
		if err != nil {
			return []scheduler.Option{scheduler.Cost(0)} // get fails with the same error
		}
		return []scheduler.Option{scheduler.Key(u.Host)}
	}))
}

// get makes an attempt. It marks its error with what the response says about retrying.
func get(ctx context.Context, s *scheduler.Scheduler, client *http.Client, page string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, retry.Permanent(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err // classified by retry.Network, which is Config.Classify
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be reused
		return nil, headers.Parse(res.Header, s.Now()).Mark(res.StatusCode, errors.New(res.Status))
	}
	return io.ReadAll(io.LimitReader(res.Body, 16<<20))
}
