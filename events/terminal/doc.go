// Package terminal shows a running scheduler where a program runs: a picture that is drawn anew
// ten times a second in a terminal, and lines from time to time elsewhere.
//
//	view := terminal.Watch(s, terminal.Config{Title: "crawl", Total: 320})
//	defer view.Stop()
//	log.SetOutput(view) // what is written to it appears above the picture
//
// # What is shown
//
//	crawl  ██████████░░░░░░░░░░░░░░░░░░░░  112/320  35%  3 failed  11/s  ETA 3m21s
//	0 of 60 requests left · 4120 of 9000 tokens left · 8 running · 197 queued
//	3 backing off (next in 1.2s) · held by the server for 12s · 14 retries
//
// First how many calls are done, of how many, how many ended in a second over the last ten, and
// how long the rest will take. Then, as many to a line as fit: what is left of each budget and
// what it holds at most, where the calls are, and what holds them up, be it a server's wait, a
// pause, or an adaptive rate below the configured one. What there is none of is left out, but for
// calls that run or wait.
//
// The ETA is the longer of two times, and what is left of a hold: that for which the quota makes
// the rest wait, at what attempts have cost so far, and that which the rest takes at the pace so
// far. Before any call has ended there is only the first. There is no ETA while the scheduler is
// paused until somebody resumes it. It supposes that what is still to come is like what has been,
// and that nobody else uses the quota.
//
// # Where
//
// The picture is drawn if Out is a terminal, the environment variable TERM is neither empty nor
// "dumb", and CI is empty. With NO_COLOR it has no colours. Where LC_ALL, or else LC_CTYPE, or
// else LANG says something other than UTF-8, it is in ASCII. On Windows TERM does not matter, but
// the console has to understand escape sequences, as it does since Windows 10.
//
// Elsewhere, as in a file or the log of a build, there are plain lines:
//
//	crawl: 112 of 320 done (3 failed), 35%, ETA 3m21s; 0 of 60 requests and 4120 of 9000 tokens left, …
//
// The first comes after 2 s, the next 4 s later, then 8 s, up to one every 30 s, and one in the
// end.
//
// # In the terminal
//
// Text from others, such as a server's message or a name in a file, does not reach the terminal as
// it is. Control characters are made visible in Title, in the names of budgets and in all that is
// written to a [View]. A program that prints such texts by itself passes them through [Visible].
//
// When the window becomes narrower, terminals wrap anew what they show. How many rows the picture
// takes then is worked out, so that all of it is drawn over. mpb v8.15.2, a library for bars that
// was tried first, does not do that: when a tmux window was made narrower, pieces of wrapped lines
// stayed between the messages.
//
// There are limits to that. Rows that have left the window at its top can't be cleared: where the
// picture is the first thing in a window that becomes narrower, some of it stays in the
// scrollback. A terminal that does not wrap anew but cuts lines off loses some
// rows above the picture. So it may be with a message that is written at the very moment, before a
// slow connection has told the new width.
//
// The cursor stays visible, below the picture. A program that is killed leaves the terminal in
// order, with the last picture in it.
//
// # What it costs
//
// A goroutine asks for [scheduler.Scheduler.Snapshot] ten times a second, wherever Out goes. There
// is no subscription to events, so plain calls keep their fast path: see package scheduler. Out is
// written to by that goroutine, by Write, and at last by Stop. A terminal that is stopped with
// Ctrl-S holds up these three, as it does everybody who writes to it, and never the scheduler.
// Nothing else should write to the terminal meanwhile.
package terminal
