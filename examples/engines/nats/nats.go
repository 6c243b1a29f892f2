// Package nats lets messages of NATS JetStream wait for their turn in a scheduler.
package nats

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Args has the URL that a message calls, and the customer, in JSON.
type Args struct{ URL, Customer string }

// Config configures the scheduler of a worker process. All processes share the limit through the store.
func Config(limit bucket.Limit, store bucket.Store, perCustomer bucket.Limit) scheduler.Config {
	return scheduler.Config{
		Limit:    limit,
		Store:    store,
		PerKey:   scheduler.PerKey{Limit: perCustomer},
		Classify: retry.Network, // it retries, since NATS does not tell failures from waits
	}
}

// Consumer is the consumer of all worker processes.
var Consumer = jetstream.ConsumerConfig{
	Durable:       "workers",
	AckPolicy:     jetstream.AckExplicitPolicy,
	AckWait:       10 * time.Second, // without a sign of life from the worker
	MaxDeliver:    -1,               // a message that is handed back is delivered again
	MaxAckPending: -1,               // those that are handed back are pending
}

const longest = 2500 * time.Millisecond // a message that would wait longer gives its slot back

// Worker makes the calls of messages. A message whose turn comes soon waits for it in its slot, so that the call is made
// at that instant. One whose turn comes later, because of a server's wait or of its customer's limit, is handed back
// until then.
type Worker struct {
	Scheduler *scheduler.Scheduler
	Consumer  jetstream.Consumer
}

// Run handles one message after the other until ctx is done, and finishes the last one. A process calls it once for each
// slot. While NATS can't be reached, it tries again.
func (w *Worker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		m, err := w.Consumer.Next(jetstream.FetchContext(ctx)) // and none ahead
		if err == nil {
			err = w.handle(context.WithoutCancel(ctx), m)
		}
		switch {
		case errors.Is(err, nats.ErrConnectionClosed):
			return err
		case err != nil && !errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil:
			slog.Warn("a message was not fetched, or comes again", "err", err)
		}
	}
	return nil
}

// handle makes the call of a message, and tells NATS how it has ended.
func (w *Worker) handle(ctx context.Context, m jetstream.Msg) error {
	about, err := m.Metadata()
	if err != nil {
		return err
	}
	var args Args
	if err := json.Unmarshal(m.Data(), &args); err != nil {
		return m.TermWithReason(err.Error())
	}
	defer beat(m, w.Consumer.CachedInfo().Config.AckWait/3)()
	err = w.Scheduler.Do(ctx, func(ctx context.Context) error {
		return call.Post(ctx, args.URL, strconv.FormatUint(about.Sequence.Stream, 10))
	}, scheduler.Key(args.Customer), scheduler.MaxWait(longest))
	if at, known := scheduler.RetryAt(err); known {
		return m.NakWithDelay(max(0, at.Sub(w.Scheduler.Now())))
	}
	switch {
	case err == nil:
		return acknowledge(ctx, m)
	case errors.Is(err, scheduler.ErrWouldWait), errors.Is(err, scheduler.ErrClosed): // it is not known when
		return m.NakWithDelay(longest)
	default:
		return m.TermWithReason(err.Error())
	}
}

// acknowledge sends the Ack of a message once a second until NATS confirms it, for a minute at most. If a restart of NATS
// loses an Ack, the message would be delivered again, and its call made twice.
func acknowledge(ctx context.Context, m jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := m.DoubleAck(try)
		if err == nil || errors.Is(err, nats.ErrConnectionClosed) || ctx.Err() != nil {
			cancel()
			return err
		}
		<-try.Done() // while JetStream starts, the error comes at once
		cancel()
	}
}

// beat tells NATS regularly that the message is being handled, until stop is called.
func beat(m jetstream.Msg, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(every):
				_ = m.InProgress() // the next one may get through
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}
