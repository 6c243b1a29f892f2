// Package otelevents exports a scheduler to OpenTelemetry, as metrics and as spans of its calls and
// their attempts.
//
//	stop, err := otelevents.Watch(s, otelevents.Name("github"))
//	defer stop()
//
// # What it costs
//
// There are three depths. A subscription to the events of calls that succeed closes the fast path,
// on which plain calls of Do bypass the scheduler's owner (see package scheduler).
//
//  1. [Watch] alone reads [scheduler.Scheduler.Snapshot] when metrics are collected, and
//     subscribes to holds and pauses. It adds no cost to calls.
//  2. [Durations] adds the metrics that need the end of every call. These are the histograms
//     fairlead.wait.duration and fairlead.run.duration, and fairlead.call.time. Without a
//     subscription to successes the histograms would contain failures only. With [Keys] these metrics
//     have the keys of calls, and fairlead.call.turn shows which keys wait for others.
//  3. [Spans] adds a span for every call and a child of it for every attempt.
//
// At every depth it is an ordinary subscriber and never blocks a call. If it falls behind by more
// than [scheduler.Config.EventBuffer] events, it loses some and counts them in
// fairlead.events.dropped. Histograms and spans then lack calls. Metrics from snapshots are always
// complete.
//
// # Metrics
//
// Names begin with "fairlead.", and durations are in seconds. README.md has a table of them.
// Counters never fall. If the scheduler lowers a count, as that of the attempts when a grant is given
// up unused, the metric stays the same until the count has caught up.
//
// # Spans
//
// Spans are made when a call ends, with the times of its events. Events don't have the contexts of
// callers, so each call is the root of its own trace, and spans that its function makes are not
// below it.
//
// A call that was accepted before Watch has no span and is in no histogram. If events were lost,
// the spans of calls that were open then have the attribute fairlead.incomplete. They lack
// attempts, or know only their number.
package otelevents
