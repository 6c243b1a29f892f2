// Package otelevents shows a scheduler in OpenTelemetry: as metrics, and as spans of its
// calls and their attempts.
//
//	stop, err := otelevents.Watch(s, otelevents.Name("github"))
//	defer stop()
//
// # What it costs
//
// There are three depths, because a subscription to events of calls that succeed shuts the
// way by which plain calls of Do need not ask the scheduler's owner: see package scheduler.
//
//  1. [Watch] alone reads [scheduler.Scheduler.Snapshot] when metrics are collected, and
//     subscribes to holds and pauses. Calls cost what they cost without it.
//  2. [Durations] adds the metrics that need the end of every call: the histograms
//     fairlead.wait.duration and fairlead.run.duration, and fairlead.call.time. There is no
//     cheaper way to an honest histogram: calls that fail would be in it and those that
//     succeed would not.
//  3. [Spans] adds a span for every call and a child of it for every attempt.
//
// Whatever the depth, it is an ordinary subscriber: it never holds up a call. If it falls
// behind by more than [scheduler.Config.EventBuffer] events it loses some and counts them in
// fairlead.events.dropped. Then the histograms and spans lack calls; what comes from
// snapshots is complete all the same.
//
// # Metrics
//
// Names of the scheduler's own begin with "fairlead."; durations are in seconds. README.md
// has the table. Counts never fall, as a counter must not: where the scheduler takes a
// count back, as that of the attempts when a grant is given up unused, the metric stays
// until the count has caught up.
//
// # Spans
//
// Spans are made from events when a call has ended, with the times at which things
// happened. Events don't know the contexts of callers: so each call is the root of a
// trace of its own, and spans that its function makes are not below it.
//
// A call that was taken in before Watch has no span and is in no histogram. If events were
// lost, the spans of calls that were open then have the attribute fairlead.incomplete: they
// lack attempts, or know their number only.
package otelevents
