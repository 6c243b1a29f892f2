// Package journal keeps the calls of a scheduler in a file, so that a call that was accepted is made, whatever happens
// to the process.
//
//	j, err := journal.Open("calls.db", journal.Config{
//		Scheduler: scheduler.Config{Limit: bucket.PerMinute(500)},
//		Handlers:  journal.Handlers{"charge": charge}, // func(ctx context.Context, payload []byte) error
//	})
//	...
//	id, err := j.Submit(ctx, journal.Call{ID: "order-17", Handler: "charge", Payload: payload, Key: "acme"})
//	...
//	result, err := j.Wait(ctx, id)
//
// A call is plain data: the name of a handler, and a payload. When Submit returns nil, the call is on disk. It is made in
// this process, or in a later one that opens the file with a handler of that name. Its number, rank, priority, key, attempts
// and backoff survive, and so do the levels, debts and holds of the budgets, and limits that were changed. So a restart
// changes neither the calls nor their instants.
//
// # What a restart loses
//
// Pauses are over. Retry budgets are full, rates that Adaptive has lowered are as configured, and keys share anew. What was
// changed by SetMaxInFlight, SetMaxQueued, SetLimitOfKey and LearnKey is as configured.
//
// What a key has left of its own limits is written with each change of a call with that key. The journal knows it as long as
// it knows such a call. If a key's budget takes longer than an hour to refill, for example a day, remember calls for that
// long: see [Config.KeepEnded]. Otherwise a restart may give the key a full one. If the key also pays outside of the journal,
// a restart forgets what it has paid since the last change of its calls in the journal.
//
// # At least once
//
// A call is made at least once, and again only if the process died or the journal was closed while its handler ran. Then
// [Info] says so. Give the API an idempotency key, such as Info.ID. A call ends with success, or as a dead letter that stays
// in the file: see [Journal.Dead], [Journal.Again] and [Journal.Forget].
// It has as many retries as the Retry of Config.Scheduler says: by default 5, which take about half a minute. If the API may
// be away for hours, allow more.
//
// If the process dies, one of the calls that ran may have killed it. So each of them runs alone when the file is next
// opened. If the process dies again and again while a call runs alone, the call becomes a dead letter: see
// [Config.MaxCrashes].
//
// # IDs
//
// A call has an ID, the program's or one that Submit makes. A second Submit with the same ID makes no second call, as long
// as the journal knows the first. It forgets a call that has succeeded after the next 100,000 have, or after an hour. So a
// Submit whose outcome is not known can be repeated: see [ErrInDoubt].
//
// # The disk
//
// A commit is one transaction of bbolt, which syncs the file twice. Calls that come together share it. A call takes three
// commits: it is accepted, its attempt begins, its attempt ends. If a commit fails, for example since the disk is full, the journal
// accepts no more calls, starts no more attempts, and returns [ErrFailed]. What it has acknowledged is in the file.
// After a power cut, the file has what the disk has really written. A disk that reports writes which are still in its
// cache can lose acknowledged calls. A network drive is as safe as its locks and syncs. Everything in the file has a
// checksum. When the file is opened, a call whose checksum is wrong is set aside and listed in the [Report]. It is not run.
//
// Beside calls.db is a file calls.db.lock, which is locked while the journal is open. It stays there. To copy the
// journal's file, close the journal first.
//
// # When not to use it
//
// It is for one process, without a server. Two processes can't have the same file open. A program on several machines, or one
// that has a queue already, keeps the queue: examples/engines shows how a worker of River, asynq, NATS JetStream,
// backlite or Temporal keeps a quota. If the input can be read again, as with a batch of lines in a file, an output file with the
// lines that are done is enough: see examples/batch. For a call whose caller waits for it, and that a crash may lose, use
// Scheduler.Do.
package journal
