// Package wire has what the stores of all clients have in common: the scripts that run in Redis, their arguments and
// their replies.
package wire

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/fairlead/bucket"
)

//go:embed head.lua
var head string

//go:embed exchange.lua
var exchange string

//go:embed create.lua
var create string

// Exchange and Create are the scripts.
var (
	Exchange = head + exchange
	Create   = head + create
)

// Keys returns the keys of the budget with a name. The first is also the channel on which processes are told to
// exchange. The name is the hash tag of both, so in a cluster they are on one node.
func Keys(name string) ([]string, error) {
	if name == "" || strings.ContainsAny(name, "{}") {
		return nil, fmt.Errorf("redisbucket: name is %q: it must not be empty, and must have no braces", name)
	}
	key := "fairlead:{" + name + "}"
	return []string{key, key + ":processes"}, nil
}

// Args returns the arguments of Exchange. It returns an error for an ask that is not valid.
func Args(a bucket.Ask) ([]string, error) {
	a, err := a.Normalize()
	if err != nil {
		return nil, err
	}
	remaining, leave := "", ""
	if a.HasRemaining {
		remaining = digits(a.Remaining)
	}
	if a.Leave {
		leave = "1"
	}
	refill, per := a.Limit.MicroRate()
	return []string{
		a.Process, strconv.FormatUint(a.Seq, 10), digits(a.Want), digits(a.Least), digits(a.Ahead.Microseconds()),
		digits(a.Back), digits(a.Charge), a.Epoch, digits(a.Mine), digits(a.Hold.Microseconds()),
		remaining, digits(a.Limit.Capacity), digits(refill), digits(per), digits(a.Version), leave,
	}, nil
}

// CreateArgs returns the arguments of Create.
func CreateArgs(l bucket.Limit) ([]string, error) {
	if err := l.ValidateShared(); err != nil {
		return nil, err
	}
	refill, per := l.MicroRate()
	return []string{digits(l.WithDefaults().Capacity), digits(refill), digits(per)}, nil
}

func digits(n int64) string { return strconv.FormatInt(n, 10) }

// errReply is returned for a reply of another form, for example from another version.
var errReply = errors.New("redisbucket: the reply has another form than an answer")

// Answer returns the answer that a reply of Exchange holds.
func Answer(reply string) (bucket.Answer, error) {
	var n [11]int64
	rest := reply
	for i := range n {
		word, after, ok := strings.Cut(rest, " ")
		number, err := strconv.ParseInt(word, 10, 64)
		if !ok || err != nil {
			return bucket.Answer{}, fmt.Errorf("%w: %q", errReply, reply)
		}
		n[i], rest = number, after
	}
	return bucket.Answer{
		Tokens: n[0], Level: n[1], Part: n[2], Refill: n[3], Per: n[4], Capacity: n[5], Version: n[6], Sharers: n[7],
		Ahead: micros(n[8]), Held: micros(n[9]), Learning: micros(n[10]), Epoch: rest,
	}, nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
