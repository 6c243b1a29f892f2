// Package github reads the issues of many repositories, page by page, within GitHub's limits.
package github

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// Crawler reads issues. Its requests wait for their turn in one scheduler. The other one bounds how many
// repositories are read at a time.
type Crawler struct {
	client         *github.Client
	requests, work *scheduler.Scheduler
}

// New returns a crawler that makes at most perHour requests an hour. Close it when done.
func New(perHour int64, base http.RoundTripper, opts ...github.ClientOptionsFunc) (*Crawler, error) {
	requests, err := scheduler.New(scheduler.Config{
		Limit:       bucket.Per(perHour, time.Hour).Burst(50),
		MaxInFlight: 4,                                          // more would reach GitHub's secondary limits
		Retry:       retry.Policy{MaxServerWait: 2 * time.Hour}, // the primary limit resets once an hour
	})
	if err != nil {
		return nil, err
	}
	work, err := scheduler.New(scheduler.Config{MaxInFlight: 8}) // its calls cost nothing
	if err != nil {
		requests.Close()
		return nil, err
	}
	transport := &ratehttp.Transport{
		Scheduler: requests,
		Base:      base,
		Budget:    func(string) string { return "" }, // GitHub calls the only budget "core"
	}
	client, err := github.NewClient(append(opts,
		github.WithTransport(transport),
		github.WithDisableRateLimitCheck(), // the transport waits; the client would fail without asking
	)...)
	if err != nil {
		requests.Close()
		work.Close()
		return nil, err
	}
	return &Crawler{client: client, requests: requests, work: work}, nil
}

// Close ends the calls that wait.
func (c *Crawler) Close() {
	c.work.Close()
	c.requests.Close()
}

// Issues yields the open issues of each repository ("owner/name"), in this order. A failure does not stop the
// others.
func (c *Crawler) Issues(ctx context.Context, repos iter.Seq[string]) iter.Seq[scheduler.Result[string, []*github.Issue]] {
	return scheduler.Stream(ctx, c.work, repos, c.issues, scheduler.Cost(0), scheduler.Ordered(), scheduler.LookAhead(32))
}

// issues reads all pages of one repository. Each page is a request that waits and is retried by itself.
func (c *Crawler) issues(ctx context.Context, repo string) (all []*github.Issue, err error) {
	owner, name, ok := strings.Cut(repo, "/")
	if !ok {
		return nil, errors.New(repo + " is not owner/name")
	}
	opts := &github.IssueListByRepoOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for issue, err := range c.client.Issues.ListByRepoIter(ctx, owner, name, opts) {
		if err != nil {
			return all, err
		}
		all = append(all, issue)
	}
	return all, nil
}
