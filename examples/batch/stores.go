package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/pgbucket"
	"example.com/fairlead/bucket/redisbucket"
)

// stores are the stores of a shared budget, one for requests and one for tokens.
type stores struct {
	byBudget map[string]bucket.Store
	close    func()
}

// openStores opens the stores of a shared budget, if the run has one. It fails if they don't answer, so that a
// wrong address or password shows before anything is sent.
func (b *batch) openStores(ctx context.Context) error {
	shared := &b.cfg.shared
	if !shared.on() {
		return nil
	}
	open := openRedis
	if strings.HasPrefix(shared.address.Scheme, "postgres") {
		open = openPostgres
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	opened := stores{byBudget: map[string]bucket.Store{}}
	store, err := open(limited, shared.address)
	if err == nil {
		opened.close = store.close
		b.stores = opened
		for budget := range b.cfg.limits() {
			if opened.byBudget[budget], err = store.of(shared.nameOf(budget)); err != nil {
				break
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &fileError{"-budget", shared.String(), fmt.Errorf("%w: check that the server runs, and the address, the user and the password", cause(err))}
	}
	return nil
}

// storeServer is a server that keeps budgets.
type storeServer struct {
	of    func(name string) (bucket.Store, error) // opens a budget
	close func()
}

// openRedis connects to a Redis server.
func openRedis(ctx context.Context, address *url.URL) (storeServer, error) {
	options, err := rueidis.ParseURL(address.String())
	if err != nil {
		return storeServer{}, err
	}
	options.DisableCache = true // nothing is read twice
	client, err := rueidis.NewClient(options)
	if err != nil {
		return storeServer{}, err
	}
	return storeServer{
		of:    func(name string) (bucket.Store, error) { return redisbucket.New(client, name) },
		close: client.Close,
	}, nil
}

// openPostgres connects to a PostgreSQL server, and makes the tables that budgets need.
func openPostgres(ctx context.Context, address *url.URL) (storeServer, error) {
	pool, err := pgxpool.New(ctx, address.String())
	if err != nil {
		return storeServer{}, err
	}
	return storeServer{
		of: func(name string) (bucket.Store, error) {
			store, err := pgbucket.New(pool, name)
			if err == nil {
				err = store.Setup(ctx)
			}
			return store, err
		},
		close: pool.Close,
	}, nil
}

// cause returns the part of an error of a store that says what is wrong. Clients put users and addresses before it.
func cause(err error) error {
	var network *net.OpError
	var refusal interface {
		error
		SQLState() string // as PostgreSQL's errors have
	}
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &network):
		return network
	}
	return err
}
