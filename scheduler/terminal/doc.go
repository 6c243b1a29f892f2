// Package terminal shows the progress of a scheduler. In a terminal it is a picture, redrawn ten
// times a second; elsewhere it is a line of text from time to time.
//
//	view := terminal.Watch(s, terminal.Config{Title: "crawl", Total: 320})
//	defer view.Stop()
//	log.SetOutput(view) // messages appear above the picture
//
// # What is shown
//
//	crawl  ██████████░░░░░░░░░░░░░░░░░░░░  112/320  35%  3 failed  11/s  ETA 3m21s
//	0 of 60 requests left · 4120 of 9000 tokens left · 8 running · 197 queued
//	3 backing off (next in 1.2s) · held by the server for 12s · 14 retries
//
// The first line has the calls that are done, the total, the calls that ended per second over the
// last ten seconds, and the expected time for the rest. Below it are the budgets, with what is left
// and the capacity, then where the calls are, and what holds them up: a server's wait, a pause, or
// an adaptive rate below the configured one. Items that are zero are left out, except for running
// and queued calls.
//
// The ETA is the rest of a hold plus the longer of two times. One is the time until the quota has
// paid for the remaining calls, at what attempts have cost so far. The other is the time they take
// at the present pace, which is known once a call has ended. There is no ETA during a pause without
// an end. The ETA assumes that the remaining calls are like those so far, that all have arrived, and that
// no other program uses the quota.
//
// With [Config.Keys] the most loaded keys follow, while calls with keys wait or run:
//
//	noisy     5200 queued, 1 running, longest wait 52s
//	acme      3 queued, 2 running, longest wait 0.1s
//	(others)  29 queued, 0 running
//
// The longest wait is that of the call that was queued first. It is left out if the event of that was lost.
//
// # Where
//
// The picture is drawn if Out is a terminal, the environment variable TERM is neither empty nor
// "dumb", and CI is empty. NO_COLOR turns colors off. The picture is in ASCII if the first of LC_ALL,
// LC_CTYPE and LANG that is set names another encoding than UTF-8. On Windows TERM does not matter,
// but the console has to understand escape sequences, as it does since Windows 10.
//
// Elsewhere, as in a file or the log of a build, lines of text are written:
//
//	crawl: 112 of 320 done (3 failed), 35%, ETA 3m21s; 0 of 60 requests and 4120 of 9000 tokens left, …
//
// The first line comes after 2 s, the next ones 4 s and 8 s later, and so on, at most 30 s apart.
// Stop writes the last one.
//
// # In the terminal
//
// Text from outside, such as a server's message or a name in a file, does not reach the terminal
// unchanged. Control characters are made visible in the title, in the names of budgets and in all
// that is written to a [View]. A program that prints such text by itself can pass it to [Visible].
//
// When the window becomes narrower, terminals wrap the rows that they show. The view computes how
// many rows the picture takes then, and draws over all of them. mpb v8.15.2, a library of progress
// bars, does not, and in a narrower tmux window pieces of wrapped lines stayed between the messages.
//
// Some rows can't be repaired. Rows that have left the window at its top can't be cleared, so parts
// of a picture at the top of a window that becomes narrower stay in the scrollback. A terminal that
// cuts lines off instead of wrapping them loses some rows above the picture. So may a message that
// is written before a slow connection has reported the new width.
//
// The cursor stays visible, below the picture. A program that is killed leaves the terminal usable,
// with the last picture in it.
//
// # What it costs
//
// One goroutine calls [scheduler.Scheduler.Snapshot] ten times a second. It does not subscribe to
// events, so plain calls keep their fast path (see package scheduler). With Config.Keys it does, and
// calls SnapshotOf for each key that it shows. Out is written by that
// goroutine, by Write, and at last by Stop. A terminal that is stopped with Ctrl-S blocks these
// three, but never the scheduler. Meanwhile the program should write nothing else to the terminal.
package terminal
