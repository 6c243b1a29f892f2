package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"time"

	_ "embed"

	_ "github.com/mattn/go-sqlite3"
	"github.com/mikestefanello/backlite"
	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/journal"
)

// kept is a library with an open file.
type kept struct {
	submit func(ctx context.Context, payload []byte) error // returns when the call is accepted
	settle func() error                                    // returns when the end of each call is in the file
}

// keepers open the libraries, whose handlers call handled, and do nothing else. SQLite's driver does not sync each commit unless it is told
// to, so there is one of each that does and one that does as its documentation says.
var keepers = map[string]func(path string, handled func()) (kept, error){
	"Fairlead":           openFairlead,
	"backlite":           openBacklite("&_synchronous=FULL"),
	"backlite, unsynced": openBacklite(""),
	"goqite":             openGoqite("&_synchronous=FULL"),
	"goqite, unsynced":   openGoqite(""),
}

func openFairlead(path string, handled func()) (kept, error) {
	j, err := journal.Open(path, journal.Config{
		Scheduler: scheduler.Config{Limit: bucket.Unlimited},
		Handlers: journal.Handlers{"call": func(context.Context, []byte) error {
			handled()
			return nil
		}},
	})
	if err != nil {
		return kept{}, err
	}
	submit := func(ctx context.Context, payload []byte) error {
		_, err := j.Submit(ctx, journal.Call{Handler: "call", Payload: payload})
		return err
	}
	return kept{submit, func() error { return j.Close(context.Background()) }}, nil
}

// workers is how many handlers run side by side. It is 10 in the documentation of backlite, and 1 in that of goqite.
const workers = 10

// openSQLite opens a database as in the documentation of backlite and goqite.
func openSQLite(path, more string) (*sql.DB, error) {
	return sql.Open("sqlite3", path+"?_journal=WAL&_timeout=5000"+more)
}

// emptied returns what waits until a table is empty.
func emptied(db *sql.DB, table string) func() error {
	return func() error {
		for {
			var n int
			if err := db.QueryRow("select count(*) from " + table).Scan(&n); err != nil || n == 0 {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// task is a task of backlite.
type task struct{ Payload []byte }

func (task) Config() backlite.QueueConfig {
	return backlite.QueueConfig{Name: "calls", MaxAttempts: 5, Backoff: 5 * time.Second, Timeout: 10 * time.Second}
}

func openBacklite(more string) func(path string, handled func()) (kept, error) {
	return func(path string, handled func()) (kept, error) {
		db, err := openSQLite(path, more)
		if err != nil {
			return kept{}, err
		}
		db.SetMaxOpenConns(1) // else most Adds fail, since the database is locked
		client, err := backlite.NewClient(backlite.ClientConfig{
			DB: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), ReleaseAfter: 10 * time.Minute, NumWorkers: workers, CleanupInterval: time.Hour,
		})
		if err != nil {
			return kept{}, err
		}
		if err := client.Install(); err != nil {
			return kept{}, err
		}
		client.Register(backlite.NewQueue[task](func(context.Context, task) error {
			handled()
			return nil
		}))
		client.Start(context.Background())
		submit := func(ctx context.Context, payload []byte) error {
			_, err := client.Add(task{payload}).Ctx(ctx).Save()
			return err
		}
		return kept{submit, emptied(db, "backlite_tasks")}, nil
	}
}

//go:embed goqite.sql
var goqiteSchema string

func openGoqite(more string) func(path string, handled func()) (kept, error) {
	return func(path string, handled func()) (kept, error) {
		db, err := openSQLite(path, more+"&_fk=true")
		if err != nil {
			return kept{}, err
		}
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
		if _, err := db.Exec(goqiteSchema); err != nil {
			return kept{}, fmt.Errorf("goqite's schema: %w", err)
		}
		q := goqite.New(goqite.NewOpts{DB: db, Name: "calls"})
		r := jobs.NewRunner(jobs.NewRunnerOpts{Limit: workers, PollInterval: 10 * time.Millisecond, Queue: q})
		r.Register("call", func(context.Context, []byte) error {
			handled()
			return nil
		})
		go r.Start(context.Background())
		submit := func(ctx context.Context, payload []byte) error {
			_, err := jobs.Create(ctx, q, "call", goqite.Message{Body: payload})
			return err
		}
		return kept{submit, emptied(db, "goqite")}, nil
	}
}
