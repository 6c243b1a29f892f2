package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/mikestefanello/backlite"
	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/journal"
)

const (
	journalPkg  = "example.com/fairlead/scheduler/journal"
	backlitePkg = "github.com/mikestefanello/backlite"
	goqitePkg   = "maragu.dev/goqite"
	crashWords  = "journal|persist|durable"
)

// crashFeatures lists what the libraries lack whose calls are in memory alone.
var crashFeatures = []row{
	{"Calls that were accepted survive a crash", [6]cell{
		{yes, "", all(tested("TestJ10_LivesWithRestartsEqualOneWithout"), offers(journalPkg, "Open", "Journal.Submit"))},
		{no, "", lacksJournal("Limiter.Wait", crashWords, xratePkg, backoffPkg)},
		{no, "", lacksJournal("Limiter.Take", crashWords, uberPkg)},
		{no, "", lacksJournal("RateLimiter.AcquirePermit", crashWords, limiterPkg)},
		{no, "", lacksJournal("RateLimiter.Wait", crashWords, flowPkg, workqueuePkg)},
		{no, "", lacksJournal("AdaptiveMode.GetAttemptToken", crashWords, awsRetryPkg, awsLimitPkg)},
	}},
}

// lacksJournal is absent for what scheduler/journal has.
func lacksJournal(look, words string, packages ...string) proof {
	return missing([]string{journalPkg}, look, words, packages...)
}

var journalColumns = [3]string{"Fairlead", "backlite", "goqite"}

var journalModules = []string{backlitePkg, goqitePkg}

// journalFeatures are proved in real time, with files.
var journalFeatures = []narrowRow{
	{"A call that was accepted is made, whatever happens to the process", [3]cell{
		{yes, "", all(tested("TestJ10_LivesWithRestartsEqualOneWithout"), inFile(fairlead, survivesCrash))},
		{yes, "", inFile(backliteQueue, survivesCrash)},
		{yes, "", inFile(goqiteQueue, survivesCrash)},
	}},
	{"What is accepted has been synced to the disk", [3]cell{
		{yes, "", tested("TestFailedCommit", "TestInDoubt")},
		{partly, "with `_synchronous=FULL`; as in its documentation, the driver go-sqlite3 does not sync commits", syncsIfTold},
		{partly, "with `_synchronous=FULL`; as in its documentation, the driver go-sqlite3 does not sync commits", syncsIfTold},
	}},
	{"Attempts, backoff and place in the queue survive", [3]cell{
		{yes, "", tested("TestJ10_LivesWithRestartsEqualOneWithout")},
		{partly, "attempts, and a backoff that is always the same", has(backlitePkg, "QueueConfig.MaxAttempts", "QueueConfig.Backoff")},
		{partly, "a message comes back after `Timeout`, three times by default", has(goqitePkg, "NewOpts.MaxReceive", "NewOpts.Timeout")},
	}},
	{"Rate limits, and what is left of them survives", [3]cell{
		{yes, "", tested("TestLevelsSurvive", "TestHoldSurvives")},
		{no, "", absent("ClientConfig.NumWorkers", "limits|setlimit", backlitePkg)},
		{no, "", absent("NewRunnerOpts.Limit", "limits|setlimit", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"A second call with the same ID is not made", [3]cell{
		{yes, "", tested("TestOneCall", "TestSubmit")},
		{no, "", lacksJournal("Client.Add", "unique|dedup|othercall", backlitePkg)},
		{no, "", lacksJournal("Queue.Send", "unique|dedup|othercall", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"What ran when the process died runs alone first, and is given up after some crashes", [3]cell{
		{yes, "", tested("TestSuspectsRunAlone", "TestMaxCrashes")},
		{no, "", lacksJournal("ClientConfig.ReleaseAfter", "suspect|crash", backlitePkg)},
		{no, "", lacksJournal("NewOpts.MaxReceive", "suspect|crash", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"Dead letters: listed, made again, forgotten", [3]cell{
		{yes, "", all(tested("TestDead"), offers(journalPkg, "Journal.Dead", "Journal.Again", "Journal.Forget"))},
		{partly, "kept with `Retention`, and shown in its web page", has(backlitePkg, "Retention.OnlyFailed")},
		{no, "", lacksJournal("NewOpts.MaxReceive", "dead|letter|failed", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"The result of a call can be waited for", [3]cell{
		{yes, "", all(tested("TestSubmit"), offers(journalPkg, "Journal.Wait", "Result"))},
		{partly, "success or failure, when asked", has(backlitePkg, "Client.Status")},
		{no, "", lacksJournal("Queue.SendAndGetID", "result|status", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"A damaged file is told of, and what can be read goes on", [3]cell{
		{yes, "", tested("TestChangedBytes", "TestLargerDamage")},
		{no, "", lacksJournal("Client.Install", "damage|corrupt", backlitePkg)},
		{no, "", lacksJournal("Queue.Receive", "damage|corrupt", goqitePkg, goqitePkg+"/jobs")},
	}},
	{"Accepted in one transaction with your own rows", [3]cell{
		{no, "", missing([]string{goqitePkg}, "Journal.Submit", "tx$", journalPkg)},
		{yes, "", offers(backlitePkg, "TaskAddOp.Tx")},
		{yes, "", offers(goqitePkg, "Queue.SendTx")},
	}},
	{"A process can submit what another one makes", [3]cell{
		{no, "", inFile(fairlead, twoProcesses)},
		{no, "", inFile(backliteQueue, twoProcesses)},
		{yes, "", inFile(goqiteQueue, twoProcesses)},
	}},
	{"A page to look at in a browser", [3]cell{
		{no, "", missing([]string{backlitePkg + "/ui"}, "Journal.Dead", "handler\\.register|newhandler", journalPkg)},
		{yes, "", offers(backlitePkg+"/ui", "NewHandler")},
		{no, "", missing([]string{backlitePkg + "/ui"}, "Runner.Start", "handler\\.register|newhandler", goqitePkg+"/jobs")},
	}},
}

// inFile runs a proof about a library in an empty folder.
func inFile(who string, shown func(*testing.T, openFile) mark) proof {
	return func(t *testing.T) mark { return shown(t, openFiles[who]) }
}

// openFile opens a library with a file. It makes calls with handle, or none if that is nil. What ran in another process is
// taken up again after 100 ms.
type openFile func(t *testing.T, path string, handle func(context.Context)) (submit func() error)

var openFiles = map[string]openFile{fairlead: fairleadFile, backliteQueue: backliteFile, goqiteQueue: goqiteFile}

func fairleadFile(t *testing.T, path string, handle func(context.Context)) func() error {
	j, err := journal.Open(path, journal.Config{
		Scheduler: scheduler.Config{Limit: bucket.Unlimited},
		Handlers: journal.Handlers{"call": func(ctx context.Context, _ []byte) error {
			handle(ctx)
			return ctx.Err()
		}},
	})
	if err != nil {
		return func() error { return err }
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	t.Cleanup(func() { _ = j.Close(now) })
	return func() error {
		_, err := j.Submit(t.Context(), journal.Call{Handler: "call"})
		return err
	}
}

// sqlite opens a database as in the documentation of both.
func sqlite(t *testing.T, path string) *sql.DB {
	db := must(sql.Open("sqlite3", path+"?_journal=WAL&_timeout=5000"))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { check(db.Close()) })
	return db
}

// emptyTask is a task of backlite.
type emptyTask struct{}

func (emptyTask) Config() backlite.QueueConfig {
	return backlite.QueueConfig{Name: "calls", MaxAttempts: 5}
}

func backliteFile(t *testing.T, path string, handle func(context.Context)) func() error {
	client := must(backlite.NewClient(backlite.ClientConfig{DB: sqlite(t, path), ReleaseAfter: 100 * time.Millisecond, NumWorkers: 1}))
	check(client.Install())
	client.Register(backlite.NewQueue[emptyTask](func(ctx context.Context, _ emptyTask) error {
		handle(ctx)
		return ctx.Err()
	}))
	if handle != nil {
		ctx, cancel := context.WithCancel(context.Background())
		client.Start(ctx)
		t.Cleanup(func() { cancel(); client.Stop(context.Background()) })
	}
	return func() error {
		_, err := client.Add(emptyTask{}).Save()
		return err
	}
}

func goqiteFile(t *testing.T, path string, handle func(context.Context)) func() error {
	db := sqlite(t, path)
	if _, err := db.Exec("select * from goqite"); err != nil {
		_ = must(db.Exec(string(must(os.ReadFile("journals/goqite.sql")))))
	}
	q := goqite.New(goqite.NewOpts{DB: db, Name: "calls", Timeout: 100 * time.Millisecond})
	r := jobs.NewRunner(jobs.NewRunnerOpts{Limit: 1, PollInterval: 10 * time.Millisecond, Queue: q})
	r.Register("call", func(ctx context.Context, _ []byte) error {
		handle(ctx)
		return ctx.Err()
	})
	if handle != nil {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { r.Start(ctx); close(ended) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
	return func() error {
		_, err := jobs.Create(context.Background(), q, "call", goqite.Message{})
		return err
	}
}

// survivesCrash copies the files of a process as they are while a call runs and another waits, and opens the copies.
func survivesCrash(t *testing.T, open openFile) mark {
	folder, copies := t.TempDir(), t.TempDir()
	running := make(chan struct{}, 2)
	submit := open(t, filepath.Join(folder, "calls.db"), func(ctx context.Context) {
		running <- struct{}{}
		<-ctx.Done()
	})
	check(submit())
	check(submit())
	<-running
	for _, file := range must(os.ReadDir(folder)) {
		check(os.WriteFile(filepath.Join(copies, file.Name()), must(os.ReadFile(filepath.Join(folder, file.Name()))), 0o600))
	}
	time.Sleep(150 * time.Millisecond) // as long as a process may have been away
	made := make(chan struct{}, 10)
	open(t, filepath.Join(copies, "calls.db"), func(context.Context) { made <- struct{}{} })
	for range 2 {
		select {
		case <-made:
		case <-time.After(time.Minute):
			return no
		}
	}
	return yes
}

// twoProcesses opens a file twice. Calls that one of them submits are to be made by the other.
func twoProcesses(t *testing.T, open openFile) mark {
	path := filepath.Join(t.TempDir(), "calls.db")
	made := make(chan struct{}, 10)
	check(open(t, path, func(context.Context) { made <- struct{}{} })())
	<-made
	time.Sleep(500 * time.Millisecond) // until it looks for no more by itself
	if open(t, path, nil)() != nil {
		return no
	}
	select {
	case <-made:
		return yes
	case <-time.After(10 * time.Second):
		return no
	}
}

// syncsIfTold reports whether SQLite syncs each commit: by itself, or if it is told to.
func syncsIfTold(t *testing.T) mark {
	const full = 2
	path := filepath.Join(t.TempDir(), "calls.db")
	synced := func(more string) bool {
		db := must(sql.Open("sqlite3", path+"?_journal=WAL&_timeout=5000"+more))
		defer db.Close()
		var level int
		check(db.QueryRow("pragma synchronous").Scan(&level))
		return level >= full
	}
	switch {
	case synced(""):
		return yes
	case synced("&_synchronous=FULL"):
		return partly
	}
	return no
}

// TestJournalFeatures: every mark in the table of files is the one that its library earns.
func TestJournalFeatures(t *testing.T) {
	for _, f := range journalFeatures {
		for i, c := range f.cells {
			t.Run(f.name+"/"+journalColumns[i], func(t *testing.T) { c.prove(t) })
		}
	}
}
