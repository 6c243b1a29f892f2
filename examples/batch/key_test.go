package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKeyOf checks where the key of a line comes from.
func TestKeyOf(t *testing.T) {
	for text, want := range map[string]string{
		`{"custom_id":"a","url":"http://A.example:80/x","user":"u"}`:             "u",
		`{"custom_id":"a","url":"http://a.example/x","user":17}`:                 "17",
		`{"custom_id":"a","url":"http://a.example/x","user":true}`:               "true",
		`{"custom_id":"a","url":"http://a.example/x","user":""}`:                 "",
		`{"custom_id":"a","url":"http://a.example/x","body":{"user":"in"}}`:      "in",
		`{"custom_id":"a","url":"http://a.example/x","user":"u","body":[1]}`:     "u",
		`{"custom_id":"a","url":"http://a.example/x","user":null,"body":"user"}`: "",
	} {
		l := newLine(1, []byte(text))
		l.parse("in", nil)
		require.NoError(t, l.err)
		key, err := l.keyOf("user")
		require.NoError(t, err)
		require.Equal(t, want, key, text)
		host, err := l.keyOf(hostKey)
		require.NoError(t, err)
		require.Equal(t, "a.example", host, text)
	}
	for _, bad := range []string{`{"n":1}`, `["a"]`} {
		l := newLine(1, []byte(`{"custom_id":"a","url":"http://a.example/x","user":`+bad+`}`))
		l.parse("in", nil)
		_, err := l.keyOf("user")
		require.EqualError(t, err, "user is "+bad+": the key of a line (-key) must be a string, a number, true or false")
	}
}

// TestKeysTakeTurns checks that lines of a few customers don't wait behind those of one with many.
func TestKeysTakeTurns(t *testing.T) {
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf(`{"url":"/x","body":{},"customer":"big","n":%d}`, i))
	}
	for _, key := range []string{`"a"`, `7`, `{}`} {
		lines = append(lines, fmt.Sprintf(`{"url":"/x","body":{},"customer":%s}`, key))
	}
	st := newSite(t, generous, lines...)
	g := st.gate()
	r := st.start("-in-flight", "1", "-key", "customer")
	await(t, r.queued, 32)
	g.open()
	require.Equal(t, counts{answered: 32, failed: 1}, r.result(t).counts)
	entries := st.entries()
	require.Len(t, entries, 32, "the line with a bad key is not sent")
	var first []int
	for _, e := range entries[:4] {
		first = append(first, lineOf(e.ID))
	}
	require.Subset(t, first, []int{31, 32}, "after at most two of the big customer")
	for id, res := range st.results() {
		if lineOf(id) == 33 {
			require.Equal(t, st.in+":33: customer is {}: the key of a line (-key) must be a string, a number, true or false", res.Error.Message)
		}
	}
}

// TestRefusingHost checks that a host that asks to wait holds its own lines alone, and one that says that nothing is left
// takes nothing from the others.
func TestRefusingHost(t *testing.T) {
	busy, other := newSite(t, generous), newSite(t, generous)
	busy.intercept(func(w http.ResponseWriter, _ int) bool {
		w.Header().Set("Retry-After", "60")
		w.Header().Set("X-RateLimit-Remaining-Requests", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	var lines []string
	for i := range 20 {
		for _, st := range []*site{busy, other} {
			lines = append(lines, fmt.Sprintf(`{"custom_id":"%d","url":"%s/x","body":{}}`, i, st.url))
		}
	}
	busy.input(lines...)
	r := busy.start("-url", "", "-rpm", "30", "-burst", "60", "-key", "host", "-per-key-rpm", "300", "-in-flight", "1", "-drain", "0")
	other.awaitEntries(20)
	r.signal()
	sum := r.result(t)
	require.Equal(t, 20, sum.answered)
	require.Equal(t, 20, sum.todo)
	require.EqualValues(t, 1, sum.rateLimited, "one has found out for all")
}

// awaitEntries returns when the API has answered n requests.
func (st *site) awaitEntries(n int) {
	for len(st.entries()) < n {
		select {
		case <-st.logged:
		case <-time.After(time.Minute):
			st.t.Fatalf("only %d of %d requests have come", len(st.entries()), n)
		}
	}
}

// TestKeyFaults checks that the faults of -key and -per-key-rpm are named.
func TestKeyFaults(t *testing.T) {
	for fault, args := range map[string][]string{
		"-per-key-rpm 5: it needs -key":                   {"-per-key-rpm", "5"},
		"-per-key-rpm -1: it must be at least 0":          {"-key", "user", "-per-key-rpm", "-1"},
		"-key host: with -url all lines go to one host":   {"-key", "host", "-url", "http://a.example"},
		"-key host: many hosts have no limit in common":   {"-key", "host", "-rpm", "auto"},
		"-key host: many hosts have no limit in common t": {"-key", "host", "-tpm", "auto"},
	} {
		_, err := parseFlags(append([]string{"-in", "a", "-out", "b"}, args...))
		require.ErrorContains(t, err, fault)
	}
}

// TestPerKeyRPM checks that each key has its own limit.
func TestPerKeyRPM(t *testing.T) {
	var lines []string
	for i := range 9 {
		lines = append(lines, fmt.Sprintf(`{"custom_id":"%d","url":"/x","body":{"user":"%c"}}`, i, 'a'+i%3))
	}
	st := newSite(t, generous, lines...)
	r := st.start("-key", "user", "-per-key-rpm", "1", "-drain", "0")
	st.awaitEntries(3)
	r.signal()
	require.Equal(t, counts{answered: 3, todo: 6}, r.result(t).counts)
	var sent []int
	for _, e := range st.entries() {
		sent = append(sent, lineOf(e.ID))
	}
	require.ElementsMatch(t, []int{1, 2, 3}, sent, "the first of each key, and no second")
}
