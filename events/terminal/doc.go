// Package terminal shows a running scheduler where a program runs: a picture that is drawn
// anew ten times a second in a terminal, and lines from time to time elsewhere.
//
//	view := terminal.Watch(s, terminal.Config{Title: "crawl", Total: 320})
//	defer view.Stop()
//	log.SetOutput(view) // what is written to it appears above the picture
//
// # What is shown
//
//	crawl  ███████████░░░░░░░░░░░░░░░░░░░  120/320  37%  3 failed  12/s  ETA 1m5s
//	12 of 60 requests · 4120 of 9000 tokens · 8 running · 41 queued
//	3 backing off (next in 1.2s) · held by the server for 12s · 14 retries
//
// First come the calls that are done, of how many, how many ended within the last ten
// seconds, and how long the rest will take. Then, as many to a line as fit, what is left of
// each budget and what it holds at most, where calls are, and what holds them up: a server's
// wait, a pause, an adaptive rate that is below the configured one. What there is none of is left out, but for
// calls that run or wait.
//
// The ETA is how long the quota needs for what is still to be paid at the mean cost so far,
// or how long the work takes at its pace so far, whichever is longer, and what is left of a
// hold on top. There is none until a call has ended, unless the quota is known to be too small for
// the rest, and none while the scheduler is paused until somebody resumes it.
//
// # Where
//
// The picture is drawn if Out is a terminal, the environment variable TERM is neither empty
// nor "dumb", and CI is empty. With NO_COLOR it has no colours. Where LC_ALL, or else
// LC_CTYPE, or else LANG says something other than UTF-8, it is in ASCII. On Windows TERM does not matter, but
// the console has to understand escape sequences, as it does since Windows 10.
//
// Elsewhere, in a file or in the log of a build, there are plain lines:
//
//	crawl: 120 of 320 done (3 failed), 37%, ETA 1m5s; 12 of 60 requests left, 41 queued, …
//
// one after 2 s, the next 4 s later, and so on up to one every 30 s, and one in the end.
//
// The picture stays where it is when the window changes: what terminals make of its lines when they wrap them
// anew is worked out and cleared. (mpb v8.15.2, a library for bars, was tried first: when a tmux window became
// narrower, it left pieces of wrapped lines behind.) There are two exceptions. What a terminal has moved out of its window can't be
// cleared by anybody: so if the picture is at the very top when the window becomes narrower, its first rows stay in the
// scrollback. And a terminal that cuts lines off, as xterm does, loses as many lines above the picture as it would have
// wrapped.
//
// The cursor stays visible, below the picture. So a program that is killed leaves the terminal as it
// should be, with the last picture in it.
//
// # What it costs
//
// A goroutine asks for [scheduler.Scheduler.Snapshot] ten times a second, wherever Out goes.
// There is no subscription to events, so plain calls keep their fast path: see package
// scheduler. Out is written to by that goroutine, and by those that call Write and Stop. A
// terminal that is stopped with Ctrl-S holds up those, as it holds up all who write to it, and never the
// scheduler. Nothing else should write to the terminal meanwhile.
package terminal
