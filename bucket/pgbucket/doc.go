// Package pgbucket keeps a budget in PostgreSQL that several processes share.
//
//	pool, err := pgxpool.New(ctx, "postgres://localhost/limits")
//	store, err := pgbucket.New(pool, "openai")
//	err = store.Setup(ctx)
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(10), Store: store})
//
// All processes whose stores have the same name in the same database share the budget. [Store.Setup] makes two tables
// and four functions, and [Schema] is their text, for tools that apply such changes.
//
// # What PostgreSQL does
//
// One function in plpgsql answers an exchange. It is always a transaction of its own, so none is rolled back after a
// process has used its answer. It uses the clock of the server and no other. An exchange takes one round trip, of about
// 0.2 ms on a machine of two cores that also runs the server, and 28 allocations, of 2 kB together. Those of one budget wait for
// each other. A process has a few exchanges a second, however many calls it grants. A client may send the same ask
// again, for example after a lost connection, since the store sells once for each.
//
// An exchange replaces two rows of 0.4 kB together, and autovacuum removes the old ones. A transaction that stays open
// for hours keeps PostgreSQL from that, and so does a replication slot without a reader. Then the tables grow, but an
// exchange takes as long as before, as measured with 32,000 old rows. The row of a process goes ten minutes after its last
// exchange, and that of a budget stays. To forget a budget, delete its rows in both tables.
//
// Hints are notifications on the channel fairlead, one when a server asks the processes to wait and one when the limit
// changes. Each store of a process has one connection that listens. A process that missed a notification learns the
// same at its next exchange. A pooler that lends a connection for each transaction, as PgBouncer can, passes no hints.
//
// If all connections of the pool are lent, an exchange makes one of its own. So calls may hold connections while they
// wait for tokens, without a deadlock.
//
// # Requirements
//
// Tests use PostgreSQL 15. The role needs what [Schema] says. Exchanges must reach the primary: a server that is
// read-only refuses them.
//
// # When PostgreSQL loses data
//
// The tables are UNLOGGED, so an exchange waits for no disk and no replica, and PostgreSQL empties the tables after a
// crash. That is as it should be. After a crash of the server or of one backend, a restart, a failover to a replica,
// when a backup or an old copy of the data folder was restored, or when the clock was set back by more than a second,
// the budget begins empty and sells nothing for [bucket.LearnTime], since what was sold before may still be spent
// meanwhile. So no loss lets more calls through than the limit, and each costs at most LearnTime of refill. Tests check
// this with real servers. A backend that is stuck in an exchange makes the others fail after a second each, and the
// processes count the store as away.
//
// Two primaries at a time are another matter. An old primary that still accepts writes sells to the processes that
// have not left it, beside the new one. That is within the limit if it ends before LearnTime has passed on the new one.
// If it goes on, the processes of each side get the whole rate. So let the tool that fails over stop the old
// primary first. The other way to sell too much is to write the rows by hand or by pg_restore, or to restore a virtual
// machine with its memory.
package pgbucket
