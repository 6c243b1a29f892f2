package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/events"
)

// TestKindNamesAreFrozen checks the names of kinds, on which programs that read logs rely.
func TestKindNamesAreFrozen(t *testing.T) {
	var names []string
	for _, k := range everyKind {
		text, err := k.MarshalText()
		require.NoError(t, err)
		names = append(names, string(text))
		var back events.Kind
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, k, back)
	}
	require.Equal(t, "queued granted started retrying succeeded failed exhausted canceled closed dropped refused held paused resumed rate_changed shut_down later store_away store_back store_reset limit_changed",
		strings.Join(names, " "))
	var k events.Kind
	require.EqualError(t, k.UnmarshalText([]byte("shut down")), `events: "shut down" is not the name of a kind: it must be one of `+strings.Join(names, ", "))
	text, err := json.Marshal(map[events.Kind]int{events.RateChanged: 1})
	require.NoError(t, err)
	require.Equal(t, `{"rate_changed":1}`, string(text))
}

func TestEventAsJSON(t *testing.T) {
	text := func(ev events.Event) string {
		b, err := json.Marshal(ev)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, `{"seq":40,"at":"2026-11-24T12:00:00Z","kind":"retrying","call":7,"name":"ping","attempt":2,"max_attempts":6,"cost":3,"available":93,`+
		`"delay":1900000000,"until":"2026-11-24T12:00:01.9Z","err":"503 Service Unavailable"}`,
		text(with(ping(events.Retrying), func(ev *events.Event) {
			ev.At, ev.Delay, ev.Until, ev.Err = noon, 1900*time.Millisecond, noon.Add(1900*time.Millisecond), errUnavailable
		})))
	require.Equal(t, `{"kind":"started","call":7,"key":"acme","available":0}`, text(events.Event{Kind: events.Started, Call: 7, Key: "acme"}))
	require.Equal(t, `{"kind":"succeeded","available":0,"times":{"tokens":2000000000,"run":100000000}}`,
		text(events.Event{Kind: events.Succeeded, Times: events.Times{Tokens: 2 * time.Second, Run: 100 * time.Millisecond}}))
	require.Equal(t, `{"kind":"rate_changed","available":-5,"rate":0.5}`, text(events.Event{Kind: events.RateChanged, Rate: 0.5, Available: -5}))
	require.Equal(t, `{"kind":"Kind(0)","available":0}`, text(events.Event{}))
}

// TestLogHasTheKeysOfTheJSON sets every field, so that a field added later can't be missing in the JSON or the log.
func TestLogHasTheKeysOfTheJSON(t *testing.T) {
	var full events.Event
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.CanInt():
			f.SetInt(7)
		case f.CanUint():
			f.SetUint(7)
		case f.CanFloat():
			f.SetFloat(0.7)
		case f.Kind() == reflect.String:
			f.SetString("seven")
		}
	}
	full.At, full.Until, full.Err, full.Times = noon, noon.Add(time.Hour), errUnavailable, events.Times{Run: time.Second}
	for i := range v.NumField() {
		require.False(t, v.Field(i).IsZero(), v.Type().Field(i).Name)
	}

	direct, err := json.Marshal(full)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "event", full)
	var line struct{ Event json.RawMessage }
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.JSONEq(t, string(direct), string(line.Event))
	require.Equal(t, v.NumField(), strings.Count(string(direct), `":`)-1, "a key each, and one in times")

	log.Reset()
	slog.New(slog.NewTextHandler(&log, nil)).Info("it", "event", full)
	require.Contains(t, log.String(), " event.kind=")
	require.Contains(t, log.String(), ` event.err="503 Service Unavailable"`)
}

// vicious is an error whose method panics with a value whose method panics, too.
type vicious struct{ with any }

func (e vicious) Error() string { panic(e.with) }

var errVicious = vicious{vicious{"oops"}}

// TestErrorsThatPanicAreTold checks that errors whose methods panic appear in text, in JSON and in a log.
func TestErrorsThatPanicAreTold(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{vicious{"oops"}, "%!v(PANIC=Error method: oops)"},
		{errVicious, "a events_test.vicious, whose Error method panicked"},
		{(*pointer)(nil), "<nil>"},
	} {
		ev := events.Event{Kind: events.Failed, Call: 7, Err: c.err}
		require.Equal(t, "call 7 failed: "+c.want, ev.String())
		text, err := json.Marshal(ev)
		require.NoError(t, err)
		var got struct{ Err string }
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, c.want, got.Err)
		group := ev.LogValue().Group()
		require.Equal(t, c.want, group[len(group)-1].Value.String())
	}
}

type pointer struct{ text string }

func (p *pointer) Error() string { return p.text }

// TestJSONIsAlwaysValid checks that any event makes valid JSON without empty members.
func TestJSONIsAlwaysValid(t *testing.T) {
	far := time.Date(123_456, 1, 1, 0, 0, 0, 0, time.FixedZone("odd", 99*3600))
	b, err := json.Marshal(events.Event{Kind: events.Held, At: far, Until: far.AddDate(-200_000, 0, 0), Rate: math.NaN(), Name: "a\xffb", Err: errors.New("\xc0\x00" + strings.Repeat("long", 1<<20))})
	require.NoError(t, err)
	require.True(t, json.Valid(b))
	require.Contains(t, string(b), `"at":"123456-01-01T00:00:00+99:00"`)
	require.Contains(t, string(b), `"name":"a\ufffdb"`)

	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, label)) }
		ev := events.Event{
			Seq: rapid.Uint64().Draw(t, "seq"), Kind: events.Kind(rapid.Uint8().Draw(t, "kind")), At: time.Unix(rapid.Int64().Draw(t, "at"), 0),
			Name: text("name"), Key: text("key"), Budget: text("budget"), Cost: rapid.Int64().Draw(t, "cost"), Delay: time.Duration(rapid.Int64().Draw(t, "delay")),
			Rate: rapid.SampledFrom([]float64{0, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}).Draw(t, "rate"),
		}
		if rapid.Bool().Draw(t, "failed") {
			ev.Err = rapid.SampledFrom([]error{errors.New(text("error")), vicious{"oops"}, errVicious}).Draw(t, "which")
		}
		b, err := json.Marshal(ev)
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(b, &got))
		for key, value := range got {
			if key != "available" {
				require.False(t, value == nil || reflect.ValueOf(value).IsZero(), "%s is empty", key)
			}
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(new(bytes.Buffer), nil), slog.NewTextHandler(new(bytes.Buffer), nil)} {
			slog.New(h).Info("it", "event", ev)
		}
	})
}

// TestStringCannotDriveATerminal checks that control characters of a server's text are replaced.
func TestStringCannotDriveATerminal(t *testing.T) {
	ev := events.Event{Call: 7, Kind: events.Failed, Err: errors.New("a\x1b[2Jb\u009bc\x7fd\u202ee\xfff\ng\th")}
	require.Equal(t, "call 7 failed: a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf; g\th", ev.String())
	ev.Kind, ev.Budget = events.Granted, "\x1b"
	require.Contains(t, ev.String(), "0 \ufffd left")
	require.False(t, slices.ContainsFunc([]rune(ev.String()), func(r rune) bool { return r < ' ' && r != '\t' }))
}
