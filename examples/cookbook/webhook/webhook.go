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
	"sync"

	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// Delivery is an event on its way to a receiver.
type Delivery struct {
	ID   string // by which the receiver recognizes duplicates
	URL  string
	Body []byte
}

// Sender sends deliveries. Each host has its own scheduler, so that a host that is down or refuses does not hold
// up the others.
type Sender struct {
	Client *http.Client     // its Timeout is for one attempt
	Each   scheduler.Config // of each host's scheduler

	mu     sync.Mutex
	closed bool
	hosts  map[string]*scheduler.Scheduler
}

// Send submits a delivery, which may be sent until ctx is done. Deliveries to a host are sent in order.
func (s *Sender) Send(ctx context.Context, d Delivery) (*scheduler.Handle, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	host, err := s.host(u.Host)
	if err != nil {
		return nil, err
	}
	return host.Submit(ctx, func(ctx context.Context) error { return s.post(ctx, host, d) }, scheduler.Name(d.ID))
}

func (s *Sender) host(name string) (*scheduler.Scheduler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, scheduler.ErrClosed
	}
	if host := s.hosts[name]; host != nil {
		return host, nil
	}
	host, err := scheduler.New(s.Each)
	if err != nil {
		return nil, err
	}
	if s.hosts == nil {
		s.hosts = map[string]*scheduler.Scheduler{}
	}
	s.hosts[name] = host
	return host, nil
}

// post makes an attempt. It marks its error with what the response says about retrying.
func (s *Sender) post(ctx context.Context, host *scheduler.Scheduler, d Delivery) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", d.ID) // the same in every attempt, and after a restart
	res, err := s.Client.Do(req)
	if err != nil {
		return err // classified by retry.Network, which is Each.Classify
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be reused
	if res.StatusCode >= 300 {
		return headers.Parse(res.Header, host.Now()).Mark(res.StatusCode, errors.New(res.Status))
	}
	return nil
}

// Shutdown accepts no more deliveries, and sends what it can until ctx is done. It returns the IDs of the rest,
// for each host in the order in which they would have been sent. One that was being sent when ctx ended may have
// arrived.
func (s *Sender) Shutdown(ctx context.Context) []string {
	s.mu.Lock()
	s.closed = true // no more hosts are added
	s.mu.Unlock()
	left := make(chan []scheduler.Unfinished)
	for _, host := range s.hosts {
		go func() {
			unfinished, _ := host.Shutdown(ctx) // its error says only that there are some
			left <- unfinished
		}()
	}
	var ids []string
	for range s.hosts {
		for _, u := range <-left {
			ids = append(ids, u.Name)
		}
	}
	return ids
}
