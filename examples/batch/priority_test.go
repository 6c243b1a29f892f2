package main

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPriority checks that of the lines that are read ahead, those with the highest priority go first, and lines
// of one priority in their order.
func TestPriority(t *testing.T) {
	st := newSite(t, generous,
		`{"custom_id":"a","url":"/x"}`,
		`{"custom_id":"b","url":"/x","priority":null}`,
		`{"custom_id":"c","url":"/x","priority":5}`,
		`{"custom_id":"d","url":"/x","priority":-1}`,
		`{"custom_id":"e","url":"/x","priority":5}`,
		`{"custom_id":"f","url":"/x","priority":1}`)
	g := st.gate()
	r := st.start("-in-flight", "1")
	await(t, r.queued, 6)
	g.open() // the request of the first line has been waiting at the gate
	require.Equal(t, counts{answered: 6}, r.result(t).counts)
	var order []int
	for _, e := range st.entries() {
		order = append(order, lineOf(e.ID))
	}
	require.Equal(t, []int{1, 3, 5, 6, 2, 4}, order)
}

// TestBadPriority checks that a priority that is not a whole number makes a line bad.
func TestBadPriority(t *testing.T) {
	bad := []string{`"high"`, `1.5`, `true`, `[1]`, `1e40`}
	var lines []string
	for i, p := range bad {
		lines = append(lines, fmt.Sprintf(`{"custom_id":"c%d","url":"/x","priority":%s}`, i+1, p))
	}
	st := newSite(t, generous, append(lines, requests(1)...)...)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 1, failed: len(bad)}, sum.counts)
	for id, r := range st.results() {
		if n := lineOf(id); n <= len(bad) {
			require.Equal(t, fmt.Sprintf("%s:%d: priority is %s: it must be a whole number, such as 2 or -1", st.in, n, bad[n-1]), r.Error.Message)
		}
	}
	require.Len(t, st.entries(), 1, "bad lines are not sent")
}

// TestPriorityOfABody checks that a line that is a plain body has no priority, even if it has a field of that
// name.
func TestPriorityOfABody(t *testing.T) {
	base, err := url.Parse("http://api.example/v1")
	require.NoError(t, err)
	for _, text := range []string{`{"priority":3}`, `{"priority":"high"}`, `{"url":"/x","priority":3}`, `{"body":{},"priority":3}`} {
		l := newLine(1, []byte(text))
		l.parse("in", base)
		require.NoError(t, l.err)
		require.Zero(t, l.priority)
		require.Equal(t, text, string(l.body))
		require.Equal(t, base.String(), l.url)
	}
}
