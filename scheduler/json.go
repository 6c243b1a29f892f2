package scheduler

import (
	"encoding/json"
	"reflect"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler/internal/safetext"
)

// progressJSON is a Progress in JSON. The keys are those of an events.Event.
type progressJSON struct {
	State       ProgressState `json:"state"`
	Call        uint64        `json:"call,omitzero"`
	Name        string        `json:"name,omitzero"`
	Key         string        `json:"key,omitzero"`
	Attempt     int           `json:"attempt,omitzero"`
	MaxAttempts int           `json:"max_attempts,omitzero"`
	Position    int           `json:"position,omitzero"`
	Wait        time.Duration `json:"wait,omitzero"`
	Delay       time.Duration `json:"delay,omitzero"`
	Budget      string        `json:"budget,omitzero"`
	Available   int64         `json:"available"`
	Err         string        `json:"err,omitzero"`
}

// MarshalJSON writes the state by name and the error by its text. It leaves out zero fields
// except available. Durations are in nanoseconds. A struct that embeds a Progress is written as
// the Progress alone: give the field a name.
func (p Progress) MarshalJSON() ([]byte, error) {
	return json.Marshal(progressJSON{
		p.State, p.Call, p.Name, p.Key, p.Attempt, p.MaxAttempts, p.Position, p.Wait, p.Delay, p.Budget, p.Available, safetext.Of(p.Err),
	})
}

// MarshalText returns the state's name.
func (s ProgressState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// resultJSON is a Result in JSON.
type resultJSON[In, Out any] struct {
	Index    int          `json:"index"`
	Input    In           `json:"input"`
	Value    *Out         `json:"value,omitzero"`
	Err      string       `json:"err,omitzero"`
	Call     uint64       `json:"call,omitzero"`
	Key      string       `json:"key,omitzero"`
	Attempts int          `json:"attempts,omitzero"`
	Times    events.Times `json:"times,omitzero"`
}

// MarshalJSON writes the error by its text. It leaves out a zero value beside an error. It
// returns an error if Input or Value can't be written. A struct that embeds a Result is written
// as the Result alone: give the field a name.
func (r Result[In, Out]) MarshalJSON() ([]byte, error) {
	w := resultJSON[In, Out]{r.Index, r.Input, &r.Value, safetext.Of(r.Err), r.Call, r.Key, r.Attempts, r.Times}
	if r.Err != nil && reflect.ValueOf(&r.Value).Elem().IsZero() {
		w.Value = nil
	}
	return json.Marshal(w)
}
