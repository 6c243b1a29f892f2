package main

import (
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"example.com/fairlead/retry/headers"
)

// FuzzStructuredFields: retry/headers reads the IETF's RateLimit fields with a parser of its own. It accepts what
// httpsfv, which knows all of RFC 9651, accepts, and finds the same in it.
func FuzzStructuredFields(f *testing.F) {
	for _, s := range []string{
		`"p"; r=1; t=60`, `"hour";q=1000;w=3600, "day";q=5000;w=86400`, `"u";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:`,
		`limit=2, remaining=1, reset=60`, `reset=60;a=b, limit=2;c, x, y=?0, remaining=1`, `10;w=1;burst=1000, 1000;w=3600`, `10;w=1, 10;w=60`,
		`"a \"b\" \\";r=1;r=x;r=3`, `"p";r=1;c=*a/b:c;d=@-7;e=:YQ==:;f=:YQ:`, `"p";r=1;c=%"%c3%bc ~";d=-0;e=-1.125;g=1.;h`,
		`"p";r=999999999999999,"p";r=1000000000000000`, `"p";q=1;z=123456789012.123`, `"p";r=1, ("q" 1);r=1`, "\"p\";r=1\t,\t\"q\";r=2 ,", `*a=1`, `"` + "\x7f" + `";r=1`,
		`"p";r=1;t=-1`, `"p";q=0;w=1.5`, `limit=(1 2), reset=1`, `"p";r=1;c=%"%C3"`, `"p";r=1;c=%"%c3"`, `-5;w=7`, `"p";r=1;c=--1`, `"p";r=1;c=-.5`, `"";r=0`, `"p";r=1;c=1.2345`, `"p";r=1;c=?1`, `"p";r=1;c=?2`,
	} {
		f.Add(s, "")
		f.Add(`"p";r=1`, s)
	}
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{first}
		if second != "" {
			lines = append(lines, second)
		}
		for field, read := range map[string]func(string, time.Time) ([]headers.Budget, error){"Ratelimit": rateLimit, "Ratelimit-Policy": rateLimitPolicy} {
			want, err := read(strings.Trim(strings.Join(lines, ", "), " \t"), now)
			if errors.As(err, new(base64.CorruptInputError)) {
				continue // keys are not decoded: RFC 9651 would rather have missing padding accepted
			}
			got := headers.Parse(http.Header{field: lines}, now)
			for i := range got.Budgets {
				got.Budgets[i].Partition = decoded(t, got.Budgets[i].Partition)
			}
			if !slices.Equal(got.Budgets, want) {
				t.Errorf("%s: %q\nis  %+v\nnot %+v (%v)", field, lines, got.Budgets, want, err)
			}
		}
	})
}

var errDraft = errors.New("structured, but not as the draft wants it")

// rateLimit reads drafts 7 and 8 with httpsfv.
func rateLimit(text string, now time.Time) (budgets []headers.Budget, err error) {
	if !strings.HasPrefix(text, `"`) {
		return rateLimit7(text, now)
	}
	list, err := httpsfv.UnmarshalList([]string{text})
	if err != nil || len(list) > 64 {
		return nil, err
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return nil, errDraft
		}
		name, isString := item.Value.(string)
		remaining, has := natural(item.Params.Get("r"))
		seconds, reset := natural(item.Params.Get("t"))
		partition, ok := key(item.Params)
		if _, given := item.Params.Get("t"); !isString || !has || given && !reset || !ok {
			return nil, errDraft
		}
		b := headers.Budget{Name: name, Partition: partition, Limit: -1, Remaining: remaining}
		if reset {
			b.Reset = later(seconds, now)
		}
		budgets = append(budgets, b)
	}
	return budgets, nil
}

func rateLimit7(text string, now time.Time) ([]headers.Budget, error) {
	dict, err := httpsfv.UnmarshalDictionary([]string{text})
	if err != nil {
		return nil, err
	}
	for _, name := range dict.Names() {
		if member, _ := dict.Get(name); !isItem(member) {
			return nil, errDraft
		}
	}
	number := func(name string) (int64, bool) {
		member, _ := dict.Get(name)
		item, ok := member.(httpsfv.Item)
		return natural(item.Value, ok)
	}
	limit, hasLimit := number("limit")
	remaining, hasRemaining := number("remaining")
	reset, hasReset := number("reset")
	if _, given := dict.Get("remaining"); !hasLimit || !hasReset || given && !hasRemaining {
		return nil, errDraft
	} else if !given {
		remaining = -1
	}
	return []headers.Budget{{Limit: limit, Remaining: min(limit, remaining), Reset: later(reset, now)}}, nil
}

// rateLimitPolicy reads drafts 6 to 8 with httpsfv.
func rateLimitPolicy(text string, _ time.Time) (budgets []headers.Budget, err error) {
	list, err := httpsfv.UnmarshalList([]string{text})
	if err != nil || len(list) > 64 {
		return nil, err
	}
	named := 0
	numbers := map[int64]bool{}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return nil, errDraft
		}
		b := headers.Budget{Remaining: -1}
		seconds, window := natural(item.Params.Get("w"))
		if _, given := item.Params.Get("w"); given && !window {
			return nil, errDraft
		}
		b.Window = duration(seconds)
		if name, isString := item.Value.(string); isString {
			named++
			quota, has := natural(item.Params.Get("q"))
			unit, given := item.Params.Get("qu")
			text, isText := unit.(string)
			partition, ok := key(item.Params)
			if !has || given && !isText || !ok {
				return nil, errDraft
			}
			b.Name, b.Limit, b.Unit, b.Partition = name, quota, text, partition
		} else {
			quota, ok := natural(item.Value, true)
			if !ok || !window || numbers[quota] {
				return nil, errDraft
			}
			numbers[quota] = true
			b.Limit = quota
		}
		budgets = append(budgets, b)
	}
	if named > 0 && named < len(list) {
		return nil, errDraft
	}
	return budgets, nil
}

func isItem(m httpsfv.Member) bool {
	_, ok := m.(httpsfv.Item)
	return ok
}

func natural(v any, ok bool) (int64, bool) {
	n, is := v.(int64)
	return n, ok && is && n >= 0
}

func key(p *httpsfv.Params) (string, bool) {
	v, given := p.Get("pk")
	bytes, is := v.([]byte)
	return string(bytes), is || !given
}

func decoded(t *testing.T, key string) string {
	b, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Errorf("httpsfv accepted the key %q: %v", key, err)
	}
	return string(b)
}

func duration(seconds int64) time.Duration {
	if seconds > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}

// later is how retry/headers reads a number of seconds, which is tested there.
func later(seconds int64, now time.Time) time.Time {
	return headers.Parse(http.Header{"X-Ratelimit-Reset": {strconv.FormatInt(seconds, 10)}}, now).Budgets[0].Reset
}

// BenchmarkStructuredFields is the cost of draft 8's two fields: our own reading of them, with all
// the rest of Parse, and their syntax alone with httpsfv.
func BenchmarkStructuredFields(b *testing.B) {
	limit, policy := []string{`"default"; r=50; t=30`}, []string{`"default"; q=100; w=60`}
	b.Run("headers.Parse", func(b *testing.B) {
		b.ReportAllocs()
		h := http.Header{"Ratelimit": limit, "Ratelimit-Policy": policy}
		now := time.Now()
		for b.Loop() {
			headers.Parse(h, now)
		}
	})
	b.Run("headers.Parse of nothing", func(b *testing.B) {
		b.ReportAllocs()
		h := http.Header{"Content-Type": limit, "Date": policy}
		now := time.Now()
		for b.Loop() {
			headers.Parse(h, now)
		}
	})
	b.Run("httpsfv", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, lines := range [][]string{limit, policy} {
				if _, err := httpsfv.UnmarshalList(lines); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
