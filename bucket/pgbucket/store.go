package pgbucket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/fairlead/bucket"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is the store of one budget in a PostgreSQL database. [New] makes one. Several goroutines may use it at
// the same time.
type Store struct {
	pool *pgxpool.Pool
	name string
}

var _ bucket.Store = (*Store)(nil)

// New returns the store of the budget with this name. All processes whose stores have the same name in the same
// database share the budget. The caller closes the pool. New returns an error if the pool is nil,
// or if the name is empty, longer than 1000 bytes, not UTF-8, or has a zero byte. It does not connect.
//
// The program may use the same pool for other things. If all connections of the pool are lent, for example to
// calls that wait for tokens inside a transaction, an exchange makes a connection of its own.
func New(pool *pgxpool.Pool, name string) (*Store, error) {
	switch {
	case pool == nil:
		return nil, errors.New("pgbucket: the pool is nil: pass what pgxpool.New returns")
	case name == "" || len(name) > 1000 || !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return nil, fmt.Errorf("pgbucket: name is %q: it must be UTF-8, not empty, without zero bytes, and at most 1000 bytes long", name)
	}
	return &Store{pool, name}, nil
}

const exchange = `SELECT answer, epoch FROM fairlead.exchange_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

// Exchange tells and asks the database everything in one statement, which is a transaction of its own. It returns
// an error if the ask is not valid, if the context ends first, and if the database can't be
// reached, refuses, or has no [Schema]. After an error the database may have taken the ask all the same, so the
// caller sends the same ask again.
func (s *Store) Exchange(ctx context.Context, a bucket.Ask) (answer bucket.Answer, err error) {
	if a, err = a.Normalize(); err != nil {
		return answer, err
	}
	refill, per := a.Limit.MicroRate()
	var remaining *int64
	if a.HasRemaining {
		remaining = &a.Remaining
	}
	args := []any{s.name, a.Process, a.Seq, a.Want, a.Least, int64(a.Ahead), a.Back, a.Charge, a.Epoch, a.Mine,
		a.Hold.Microseconds(), remaining, a.Limit.Capacity, refill, per, a.Version, a.Leave}
	var n []int64
	err = s.connected(ctx, func(c *pgx.Conn) error {
		for {
			err := c.QueryRow(ctx, exchange, args...).Scan(&n, &answer.Epoch)
			if c := code(err); c != "40001" && c != "23505" { // another was first, at a stricter isolation level
				return err
			}
		}
	})
	if err != nil {
		return bucket.Answer{}, s.explain(err)
	}
	answer.Tokens, answer.Level, answer.Part, answer.Refill, answer.Per = n[0], n[1], n[2], n[3], n[4]
	answer.Capacity, answer.Version, answer.Sharers, answer.Ahead = n[5], n[6], n[7], time.Duration(n[8])
	answer.Held, answer.Learning = time.Duration(n[9])*time.Microsecond, time.Duration(n[10])*time.Microsecond
	return answer, nil
}

// Create makes a new budget that is full. A budget that a process begins is empty and sells nothing for
// [bucket.LearnTime], since the database may have lost a budget of that name. Only an operator can know that no
// process has used the name within LearnTime. Create returns [bucket.ErrExists] if the budget exists, and an error if
// the limit can't be shared.
func (s *Store) Create(ctx context.Context, limit bucket.Limit) error {
	if err := limit.ValidateShared(); err != nil {
		return err
	}
	refill, per := limit.MicroRate()
	var made bool
	err := s.connected(ctx, func(c *pgx.Conn) error {
		const create = `SELECT fairlead.create_v1($1, $2, $3, $4)`
		return c.QueryRow(ctx, create, s.name, limit.WithDefaults().Capacity, refill, per).Scan(&made)
	})
	if err != nil {
		return s.explain(err)
	}
	if !made {
		return bucket.ErrExists
	}
	return nil
}

// patience is how long an exchange waits for a connection of the pool before it looks whether all are lent.
const patience = 100 * time.Millisecond

// connected calls f with a connection. If all connections of the pool are lent, it makes one, since calls that wait for
// this exchange may hold them.
func (s *Store) connected(ctx context.Context, f func(*pgx.Conn) error) error {
	quick, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lent, err := s.pool.Acquire(quick)
	if err != nil && quick.Err() != nil && ctx.Err() == nil {
		if stat := s.pool.Stat(); stat.AcquiredConns() == stat.MaxConns() {
			c, err := connect(ctx, s.pool.Config())
			if err != nil {
				return err
			}
			defer closeConn(c)
			return f(c)
		}
		lent, err = s.pool.Acquire(ctx)
	}
	if err != nil {
		return err
	}
	defer lent.Release()
	return f(lent.Conn())
}

// connect makes a connection as the pool would.
func connect(ctx context.Context, config *pgxpool.Config) (*pgx.Conn, error) {
	if config.BeforeConnect != nil {
		if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
			return nil, err
		}
	}
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil || config.AfterConnect == nil {
		return c, err
	}
	if err := config.AfterConnect(ctx, c); err != nil {
		closeConn(c)
		return nil, err
	}
	return c, nil
}

// closeConn closes a connection. It does not wait long to tell the database.
func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.Close(ctx) // an error changes nothing
}

// code returns the code of an error of PostgreSQL, or "".
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// explain returns an error that also says what it is about.
func (s *Store) explain(err error) error {
	switch code(err) {
	case "3F000", "42883", "42P01": // no such schema, function, or table
		return fmt.Errorf("pgbucket: the database lacks the schema of this package, which Setup makes: %w", err)
	}
	return fmt.Errorf("pgbucket: budget %q: %w", s.name, err)
}
