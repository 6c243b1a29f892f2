package events

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind says what happened.
type Kind uint8

// The kinds of events. A call's life is one or more rounds of
//
//	Queued, Granted, Started, Retrying
//
// the last of which ends, at any point, in exactly one of Succeeded, Failed,
// Exhausted, Cancelled, Closed or Dropped. A call that is turned away at the door is
// Refused and has no other event. The last five are about the scheduler.
const (
	_           Kind = iota
	Queued           // waits for tokens: Position, Wait
	Granted          // its tokens are paid, at this very instant of the account
	Started          // its function is about to run; a reservation has none, and so has a request of ratehttp
	Retrying         // the attempt failed and will be made again: Delay, Err
	Succeeded        // the function returned nil
	Failed           // an error that is not retried, a panic or a Goexit, a cost above a lowered capacity: Err
	Exhausted        // no retry is left, or the server's wait was too long: Err
	Cancelled        // its context was done, its handle cancelled or its deadline out of reach: Err
	Closed           // the scheduler was closed before it could finish: Err
	Dropped          // the queue was full and it ranked last: Err
	Refused          // not accepted: Err
	Held             // a server asked for a wait: no grant before Until
	Paused           // by its user, or by a long sleep of the machine: no grant before it is resumed
	Resumed          // the pause is over
	RateChanged      // an adaptive rate was halved, or has risen again: Rate
	ShutDown         // the scheduler has ended; the last event of a subscription
	kinds
)

var kindNames = [kinds]string{
	Queued:      "queued",
	Granted:     "granted",
	Started:     "started",
	Retrying:    "retrying",
	Succeeded:   "succeeded",
	Failed:      "failed",
	Exhausted:   "exhausted",
	Cancelled:   "cancelled",
	Closed:      "closed",
	Dropped:     "dropped",
	Refused:     "refused",
	Held:        "held",
	Paused:      "paused",
	Resumed:     "resumed",
	RateChanged: "rate changed",
	ShutDown:    "shut down",
}

// String is the kind in lower case, such as "retrying".
func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// name returns the kind's name without spaces, such as "rate_changed".
func (k Kind) name() string { return strings.ReplaceAll(k.String(), " ", "_") }

// MarshalText returns the kind's name as JSON has it: that of [Kind.String], with underscores for spaces. The names will not
// change.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.name()), nil }

// UnmarshalText reads a kind's name as MarshalText writes it.
func (k *Kind) UnmarshalText(text []byte) error {
	var names []string
	for kind := Queued; kind < kinds; kind++ {
		if kind.name() == string(text) {
			*k = kind
			return nil
		}
		names = append(names, kind.name())
	}
	return fmt.Errorf("events: %q is not the name of a kind: it must be one of %s", text, strings.Join(names, ", "))
}

// Ends reports whether the kind is the last event of a call.
func (k Kind) Ends() bool { return k >= Succeeded && k <= Refused }

// Kinds is a set of kinds.
type Kinds uint32

// All is the set of all kinds.
const All Kinds = 1<<kinds - 2

// Of returns the set of the kinds given.
func Of(list ...Kind) Kinds {
	var set Kinds
	for _, k := range list {
		set |= 1 << k & All
	}
	return set
}

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s>>k&1 != 0 }
