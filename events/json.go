package events

import (
	"encoding/json"
	"log/slog"
	"math"
	"time"

	"example.com/fairlead/events/internal/safetext"
)

// eventJSON is the JSON of an Event. Its keys are those of [Event.LogValue] and of the scheduler's log.
type eventJSON struct {
	Seq         uint64        `json:"seq,omitzero"`
	Missed      uint64        `json:"missed,omitzero"`
	At          string        `json:"at,omitzero"`
	Kind        Kind          `json:"kind"`
	Call        uint64        `json:"call,omitzero"`
	Name        string        `json:"name,omitzero"`
	Key         string        `json:"key,omitzero"`
	Attempt     int           `json:"attempt,omitzero"`
	MaxAttempts int           `json:"max_attempts,omitzero"`
	Budget      string        `json:"budget,omitzero"`
	Cost        int64         `json:"cost,omitzero"`
	Available   int64         `json:"available"`
	Position    int           `json:"position,omitzero"`
	Wait        time.Duration `json:"wait,omitzero"`
	Delay       time.Duration `json:"delay,omitzero"`
	Until       string        `json:"until,omitzero"`
	Rate        float64       `json:"rate,omitzero"`
	Times       Times         `json:"times,omitzero"`
	Err         string        `json:"err,omitzero"`
}

// MarshalJSON writes the kind by name and the error by its text. It leaves out zero fields, except for available, where zero
// means an empty budget. Durations are in nanoseconds. To read the JSON back in Go, decode it into a struct of your own.
//
// A struct that embeds an Event is written as the Event alone, because this method is promoted. Give the field a name instead.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(eventJSON{
		Seq: e.Seq, Missed: e.Missed, At: instant(e.At), Kind: e.Kind,
		Call: e.Call, Name: e.Name, Key: e.Key, Attempt: e.Attempt, MaxAttempts: e.MaxAttempts, Budget: e.Budget, Cost: e.Cost,
		Available: e.Available, Position: e.Position, Wait: e.Wait, Delay: e.Delay, Until: instant(e.Until),
		Rate: e.rate(), Times: e.Times, Err: safetext.Error(e.Err),
	})
}

// LogValue returns a group with the keys and values of the JSON, for package slog.
func (e Event) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 19)
	add := func(given bool, attr slog.Attr) {
		if given {
			attrs = append(attrs, attr)
		}
	}
	add(e.Seq != 0, slog.Uint64("seq", e.Seq))
	add(e.Missed != 0, slog.Uint64("missed", e.Missed))
	add(!e.At.IsZero(), slog.String("at", instant(e.At)))
	add(true, slog.String("kind", e.Kind.name()))
	add(e.Call != 0, slog.Uint64("call", e.Call))
	add(e.Name != "", slog.String("name", e.Name))
	add(e.Key != "", slog.String("key", e.Key))
	add(e.Attempt != 0, slog.Int("attempt", e.Attempt))
	add(e.MaxAttempts != 0, slog.Int("max_attempts", e.MaxAttempts))
	add(e.Budget != "", slog.String("budget", e.Budget))
	add(e.Cost != 0, slog.Int64("cost", e.Cost))
	add(true, slog.Int64("available", e.Available))
	add(e.Position != 0, slog.Int("position", e.Position))
	add(e.Wait != 0, slog.Duration("wait", e.Wait))
	add(e.Delay != 0, slog.Duration("delay", e.Delay))
	add(!e.Until.IsZero(), slog.String("until", instant(e.Until)))
	add(e.rate() != 0, slog.Float64("rate", e.rate()))
	add(e.Times != Times{}, slog.Any("times", e.Times))
	add(e.Err != nil, slog.String("err", safetext.Error(e.Err)))
	return slog.GroupValue(attrs...)
}

// rate returns the event's rate, or 0 if JSON can't express it.
func (e Event) rate() float64 {
	if math.IsNaN(e.Rate) || math.IsInf(e.Rate, 0) {
		return 0
	}
	return e.Rate
}

// instant formats a time for JSON. Unlike Time.MarshalJSON it works for every year.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
