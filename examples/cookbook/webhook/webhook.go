// Package webhook delivers events to receivers, each at its own pace, and loses none when the program is
// stopped.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// Delivery is an event on its way to a receiver.
type Delivery struct {
	ID   string // by which the receiver recognizes duplicates
	URL  string
	Body []byte
}

// Sender sends deliveries. Each host is a key, so that one that is down, slow or refuses does not hold up the others.
type Sender struct {
	Client    *http.Client         // its Timeout is for one attempt
	Scheduler *scheduler.Scheduler // with a Config such as that below
}

// Config is for a Sender. A host that does not answer takes four connections and no more, and an hour's Retry-After
// holds that host alone.
var Config = scheduler.Config{
	Limit:       bucket.Unlimited,
	MaxInFlight: 100,
	PerKey:      scheduler.PerKey{MaxInFlight: 4},
	Retry:       retry.Policy{MaxRetries: 8, MaxServerWait: 2 * time.Hour},
	Classify:    retry.Network,
}

// Send submits a delivery, which may be sent until ctx is done. Deliveries to a host are sent in order.
func (s *Sender) Send(ctx context.Context, d Delivery, opts ...scheduler.Option) (*scheduler.Handle, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	opts = append(opts, scheduler.Name(d.ID), scheduler.Key(u.Host))
	return s.Scheduler.Submit(ctx, func(ctx context.Context) error { return s.post(ctx, d) }, opts...)
}

// post makes an attempt. It marks its error with what the response says about retrying.
func (s *Sender) post(ctx context.Context, d Delivery) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", d.ID) // the same in every attempt, and after a restart
	res, err := s.Client.Do(req)
	if err != nil {
		return err // classified by retry.Network, which is Config.Classify
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be reused
	if res.StatusCode >= 300 {
		return headers.Parse(res.Header, s.Scheduler.Now()).Mark(res.StatusCode, errors.New(res.Status))
	}
	return nil
}

// Shutdown accepts no more deliveries, and sends what it can until ctx is done. It returns the rest by their IDs, for
// each host in the order in which they would have been sent. One that was being sent when ctx ended may have arrived.
// The next process gives each to Send again, with scheduler.Resumed.
func (s *Sender) Shutdown(ctx context.Context) []scheduler.Unfinished {
	left, _ := s.Scheduler.Shutdown(ctx) // its error says only that there are some
	return left
}
