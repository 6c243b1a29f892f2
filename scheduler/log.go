package scheduler

import (
	"context"
	"log/slog"
	"runtime/debug"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/durations"
)

// ofStores has the kinds of events about a budget that processes share.
var ofStores = events.Of(events.StoreAway, events.StoreBack, events.StoreReset, events.LimitChanged)

// logged has the kinds of events that an operator of the program wants to see.
var logged = events.Of(events.Retrying, events.Held, events.Paused, events.Resumed, events.RateChanged, events.Exhausted, events.ShutDown) | ofStores

// kindsFor returns the kinds of events that the logger wants. Only a logger that is enabled for Debug wants
// those of calls that failed without a retry.
func kindsFor(log *slog.Logger) (kinds events.Kinds) {
	kinds = logged
	guard(func() {
		if log.Enabled(context.Background(), slog.LevelDebug) {
			kinds |= events.Of(events.Failed)
		}
	})
	return kinds
}

// notRetried is the message for an error that [retry.Any] would have retried.
const notRetried = "not retried: the error is not marked and Classify does not know it"

// logEvents logs each event until there are no more.
func logEvents(log *slog.Logger, sub *events.Subscription) {
	for ev := range sub.C {
		if ev.Missed > 0 {
			guard(func() { log.Warn("events not logged", "missed", ev.Missed) })
		}
		if p := guard(func() { logEvent(log, ev) }); p != nil {
			guard(func() {
				log.Warn("an event was not logged: the handler or the error panicked", "seq", ev.Seq, "panic", p.Error())
			})
		}
	}
}

// guard calls f, which runs a user's log handler and methods of a user's errors. It returns the
// panic of f, if any, since no other function could recover it on this goroutine.
func guard(f func()) (panicked *PanicError) {
	defer func() {
		if p := recover(); p != nil {
			panicked = &PanicError{In: "logger", Value: p, Stack: debug.Stack()}
		}
	}()
	f()
	return nil
}

func logEvent(log *slog.Logger, ev events.Event) {
	level, message := level(ev.Kind), ev.Kind.String()
	if ev.Kind == events.Failed {
		if _, marked := retry.Marked(ev.Err); marked || !retry.Any(ev.Err).Retryable() {
			return
		}
		level, message = slog.LevelDebug, notRetried
	}
	attrs := []slog.Attr{slog.Uint64("seq", ev.Seq)}
	if ev.Call != 0 {
		attrs = append(attrs, slog.Uint64("call", ev.Call))
	}
	if ev.Attempt != 0 {
		attrs = append(attrs, slog.Int("attempt", ev.Attempt), slog.Int("max_attempts", ev.MaxAttempts))
	}
	if ev.Name != "" {
		attrs = append(attrs, slog.String("name", ev.Name))
	}
	if ev.Key != "" {
		attrs = append(attrs, slog.String("key", ev.Key))
	}
	if ev.Delay > 0 {
		attrs = append(attrs, slog.Duration("delay", durations.Round(ev.Delay)))
	} else if !ev.Until.IsZero() {
		attrs = append(attrs, slog.Duration("delay", durations.Round(ev.Until.Sub(ev.At))))
	}
	if ofStores.Has(ev.Kind) && ev.Budget != "" {
		attrs = append(attrs, slog.String("budget", ev.Budget))
	}
	attrs = append(attrs, slog.Int64("available", ev.Available))
	if ev.Kind == events.RateChanged {
		attrs = append(attrs, slog.Float64("rate", ev.Rate))
	}
	if ev.Err != nil {
		attrs = append(attrs, slog.Any("err", ev.Err))
	}
	log.LogAttrs(context.Background(), level, message, attrs...)
}

func level(k events.Kind) slog.Level {
	switch k {
	case events.Held, events.StoreAway, events.StoreReset, events.LimitChanged:
		return slog.LevelWarn
	case events.Exhausted:
		return slog.LevelError
	}
	return slog.LevelInfo
}
