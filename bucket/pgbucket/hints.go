package pgbucket

import (
	"context"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
)

var _ bucket.Hinter = (*Store)(nil)

// Hints implements [bucket.Hinter]. The scheduler calls it. It makes a connection of its own, which listens to the
// channel "fairlead". It returns when the context is done, and no earlier.
//
// A connection pooler that lends a connection for each transaction passes no hints on, for example PgBouncer in its
// transaction mode.
func (s *Store) Hints(ctx context.Context, hint func()) error {
	for {
		_ = s.listen(ctx, hint) // tries again, whatever the error is
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

// listen calls hint for each hint until the connection breaks, and at first, since hints may have been missed.
func (s *Store) listen(ctx context.Context, hint func()) error {
	c, err := connect(ctx, s.pool.Config())
	if err != nil {
		return err
	}
	defer closeConn(c)
	if _, err := c.Exec(ctx, `LISTEN fairlead`); err != nil {
		return err
	}
	hint()
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload == s.name {
			hint()
		}
	}
}

// wait returns nil when d has passed, or the context's error when it is done.
func wait(ctx context.Context, d time.Duration) error {
	timer := clock.Plain().NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
