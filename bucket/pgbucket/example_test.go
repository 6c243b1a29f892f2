//go:build unix

package pgbucket_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/pgbucket"
	"example.com/fairlead/scheduler"
)

// All processes that run this share ten requests a second.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	store, err := pgbucket.New(pool, "openai")
	if err != nil {
		panic(err)
	}
	if err := store.Setup(ctx); err != nil {
		panic(err)
	}
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(10), Store: store})
	if err != nil {
		panic(err)
	}
	defer s.Shutdown(ctx)
	err = s.Do(ctx, func(context.Context) error {
		fmt.Println("a request")
		return nil
	})
	fmt.Println(err)
	// Output:
	// a request
	// <nil>
}

func ExampleNew() {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	_, err = pgbucket.New(pool, "")
	fmt.Println(err)
	// Output: pgbucket: name is "": it must be UTF-8, not empty, without zero bytes, and at most 1000 bytes long
}

// An operator makes a budget that is full.
func ExampleStore() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	store, err := pgbucket.New(pool, "anthropic")
	if err != nil {
		panic(err)
	}
	if err := store.Setup(ctx); err != nil {
		panic(err)
	}
	fmt.Println(store.Create(ctx, bucket.PerMinute(60)))
	fmt.Println(store.Create(ctx, bucket.PerMinute(60)))
	// Output:
	// <nil>
	// bucket: the shared budget exists already
}

// The statements can become a migration of the program that uses them.
func ExampleSchema() {
	for line := range strings.Lines(pgbucket.Schema()) {
		if strings.HasPrefix(line, "CREATE") {
			statement, _, _ := strings.Cut(line, "(")
			fmt.Println(strings.TrimSpace(statement))
		}
	}
	// Output:
	// CREATE SCHEMA IF NOT EXISTS fairlead;
	// CREATE UNLOGGED TABLE IF NOT EXISTS fairlead.budgets
	// CREATE UNLOGGED TABLE IF NOT EXISTS fairlead.processes
	// CREATE OR REPLACE FUNCTION fairlead.now_v1
	// CREATE OR REPLACE FUNCTION fairlead.run_v1
	// CREATE OR REPLACE FUNCTION fairlead.create_v1
	// CREATE OR REPLACE FUNCTION fairlead.exchange_v1
}
