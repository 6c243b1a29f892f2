package events_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

var errUnavailable = errors.New("503 Service Unavailable")

// ping returns an event of the second of six attempts of a call.
func ping(kind events.Kind) events.Event {
	return events.Event{
		Seq: 40, At: time.Unix(1, 0), Kind: kind,
		Call: 7, Name: "ping", Attempt: 2, MaxAttempts: 6, Cost: 3, Available: 93,
	}
}

func with(ev events.Event, change func(*events.Event)) events.Event {
	change(&ev)
	return ev
}

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

func TestEventString(t *testing.T) {
	failed := func(ev *events.Event) { ev.Err = errUnavailable }
	seen := map[events.Kind]bool{}
	for _, c := range []struct {
		ev   events.Event
		want string
	}{
		{
			with(ping(events.Queued), func(ev *events.Event) { ev.Position, ev.Wait = 4, 300*time.Millisecond }),
			`call 7 "ping" queued: position 4, about 300ms to wait`,
		},
		{ping(events.Granted), `call 7 "ping" granted: attempt 2 of 6 for 3 tokens, 93 tokens left`},
		{
			with(ping(events.Granted), func(ev *events.Event) { ev.Cost, ev.Available = 1, 0 }),
			`call 7 "ping" granted: attempt 2 of 6 for 1 token, 0 tokens left`,
		},
		{ping(events.Started), `call 7 "ping" started: attempt 2 of 6`},
		{
			with(ping(events.Retrying), func(ev *events.Event) { ev.Delay, ev.Err = 1900*time.Millisecond, errUnavailable }),
			`call 7 "ping" retrying: attempt 2 of 6 failed, next in 1.9s, 93 tokens left: 503 Service Unavailable`,
		},
		{
			with(ping(events.Retrying), func(ev *events.Event) { ev.Delay, ev.Available, ev.Err = time.Second, -5, errUnavailable }),
			`call 7 "ping" retrying: attempt 2 of 6 failed, next in 1s, -5 tokens left: 503 Service Unavailable`,
		},
		{ping(events.Succeeded), `call 7 "ping" succeeded: attempt 2 of 6`},
		{with(ping(events.Failed), failed), `call 7 "ping" failed: 503 Service Unavailable`},
		{with(ping(events.Exhausted), failed), `call 7 "ping" exhausted: 503 Service Unavailable`},
		{with(ping(events.Canceled), failed), `call 7 "ping" canceled: 503 Service Unavailable`},
		{with(ping(events.Closed), failed), `call 7 "ping" closed: 503 Service Unavailable`},
		{with(ping(events.Refused), failed), `call 7 "ping" refused: 503 Service Unavailable`},
		{events.Event{Kind: events.Held, Delay: time.Minute}, `held: no grant for 1m0s`},
		{
			with(ping(events.Held), func(ev *events.Event) { ev.Delay, ev.Err = time.Minute, errUnavailable }),
			`call 7 "ping" held: no grant for 1m0s: 503 Service Unavailable`,
		},
		{
			with(ping(events.Held), func(ev *events.Event) { ev.Key, ev.Delay = "acme", time.Minute }),
			`call 7 "ping" of key "acme" held: no grant to that key for 1m0s`,
		},
		{with(ping(events.Dropped), failed), `call 7 "ping" dropped: 503 Service Unavailable`},
		{events.Event{Kind: events.Paused}, `paused`},
		{events.Event{Kind: events.Paused, At: noon, Until: noon.Add(90 * time.Second)}, `paused for 1m30s`},
		{events.Event{Kind: events.Resumed}, `resumed`},
		{events.Event{Kind: events.RateChanged, Rate: 0.5}, `rate changed: 50% of what is configured`},
		{events.Event{Kind: events.ShutDown}, `shut down`},

		{
			with(ping(events.Succeeded), func(ev *events.Event) {
				ev.Times = events.Times{Tokens: 2 * time.Second, Run: 100 * time.Millisecond}
			}),
			`call 7 "ping" succeeded: attempt 2 of 6 after 2.1s (tokens 2s, run 100ms)`,
		},
		{
			with(ping(events.Canceled), func(ev *events.Event) {
				ev.Err, ev.Times = errUnavailable, events.Times{Queue: time.Second}
			}),
			`call 7 "ping" canceled after 1s (queue 1s): 503 Service Unavailable`,
		},
		{events.Event{Kind: events.Started, Call: 7, Attempt: 1, MaxAttempts: 1}, `call 7 started: attempt 1 of 1`},
		{events.Event{Kind: events.ShutDown, Missed: 1}, `shut down (1 event missed before this one)`},
		{
			with(ping(events.Failed), func(ev *events.Event) { ev.Err, ev.Missed = errUnavailable, 512 }),
			`call 7 "ping" failed: 503 Service Unavailable (512 events missed before this one)`,
		},
		{events.Event{Call: 7, Name: "two\nlines", Kind: events.Closed}, `call 7 "two\nlines" closed`},
		{with(ping(events.Started), func(ev *events.Event) { ev.Key = "acme" }), `call 7 "ping" of key "acme" started: attempt 2 of 6`},
		{events.Event{Call: 7, Key: "two\nlines", Kind: events.Closed}, `call 7 of key "two\nlines" closed`},
		{
			events.Event{Call: 7, Kind: events.Retrying, Attempt: 1, MaxAttempts: 6, Delay: 1_934_857_362, Err: errUnavailable},
			`call 7 retrying: attempt 1 of 6 failed, next in 1.935s, 0 tokens left: 503 Service Unavailable`,
		},
		{
			events.Event{Call: 7, Kind: events.Queued, Position: 1, Wait: 33_333_334},
			`call 7 queued: position 1, about 33.333ms to wait`,
		},
		{
			events.Event{Call: 7, Kind: events.Failed, Err: errors.Join(errUnavailable, errors.New("and\r\nmore"))},
			`call 7 failed: 503 Service Unavailable; and; more`,
		},
		{events.Event{Call: 7, Kind: events.Later, Attempt: 1, Delay: 90 * time.Minute}, `call 7 later: arrives in 1h30m0s`},
		{events.Event{Kind: events.StoreAway, Err: errUnavailable}, `store away: 503 Service Unavailable`},
		{events.Event{Kind: events.StoreBack}, `store back`},
		{events.Event{Kind: events.StoreReset, Delay: 2250 * time.Millisecond}, `store reset: no tokens for 2.25s`},
		{events.Event{Kind: events.LimitChanged}, `limit changed`},
		{events.Event{}, `Kind(0)`},
	} {
		require.Equal(t, c.want, c.ev.String())
		seen[c.ev.Kind] = true
	}
	for _, k := range everyKind {
		require.True(t, seen[k], "%v is in the table", k)
	}
}
