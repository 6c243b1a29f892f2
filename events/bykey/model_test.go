package bykey_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
)

// life is a call of the model: where it is, and since when.
type life struct {
	number uint64
	key    string
	is     events.Kind // Queued, Granted or Retrying
	since  time.Time
}

// TestModel compares the sums of random calls with ones that are counted anew from all open calls. With few keys kept,
// it compares the sum over all keys.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.Bool().Draw(t, "few")
		s := bykey.Sums{MaxKeys: 100}
		if few {
			s.MaxKeys = 3
		}
		open, ended, now := map[int]*life{}, map[string]bykey.Key{}, noon
		for i := range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
			place := rapid.IntRange(1, 12).Draw(t, "call")
			c := open[place]
			if c == nil {
				c = &life{number: uint64(i + 1), key: fmt.Sprint("key ", rapid.IntRange(1, 9).Draw(t, "key"))}
				open[place] = c
			}
			e := ended[c.key]
			switch next := rapid.IntRange(0, 2).Draw(t, "next"); {
			case c.is == 0 || c.is == events.Retrying:
				c.is = events.Queued
			case next == 0:
				c.is = events.Succeeded
				e.Succeeded++
			case c.is == events.Queued:
				c.is = events.Granted
				e.Attempts++
				e.Spent += 2
			case next == 1:
				c.is = events.Retrying
			default:
				c.is = events.Exhausted
				e.Failed++
			}
			ended[c.key], c.since = e, now
			s.Add(events.Event{At: now, Kind: c.is, Call: c.number, Key: c.key, Cost: 2})
			if c.is.Ends() {
				delete(open, place)
			}
		}
		check(t, s.Report(0), open, ended, few)
	})
}

func check(t *rapid.T, r bykey.Report, open map[int]*life, ended map[string]bykey.Key, few bool) {
	want := ended
	add := func(key string, change func(*bykey.Key)) {
		k := want[key]
		change(&k)
		want[key] = k
	}
	for _, c := range open {
		add(c.key, func(k *bykey.Key) {
			switch c.is {
			case events.Queued:
				k.Waiting++
				if k.Since.IsZero() || c.since.Before(k.Since) {
					k.Since = c.since
				}
			case events.Granted:
				k.Running++
			}
		})
	}
	got := map[string]bykey.Key{}
	for _, k := range append(r.Keys, r.Others) {
		k.Mean = events.Times{}
		name := k.Key
		k.Key = ""
		if name != "" || k != (bykey.Key{}) {
			got[name] = k
		}
	}
	if few {
		got, want = map[string]bykey.Key{"": total(got)}, map[string]bykey.Key{"": total(want)}
	}
	require.Equal(t, want, got)
}

func total(keys map[string]bykey.Key) (sum bykey.Key) {
	for _, k := range keys {
		sum.Waiting += k.Waiting
		sum.Running += k.Running
		sum.Attempts += k.Attempts
		sum.Spent += k.Spent
		sum.Succeeded += k.Succeeded
		sum.Failed += k.Failed
		if !k.Since.IsZero() && (sum.Since.IsZero() || k.Since.Before(sum.Since)) {
			sum.Since = k.Since
		}
	}
	return sum
}
