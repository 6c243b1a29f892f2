package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/internal/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site has what a run needs: an API with a log, an input and an output.
type site struct {
	t       *testing.T
	url     string
	in, out string

	mu          sync.Mutex
	intercepted interceptor
	log         []strict.Entry
	logged      chan struct{}   // receives when the log has grown
	open        map[string]bool // by a client's address: whether its connection is still open
	left        chan struct{}   // receives when a connection has ended
	kills       []checkpoint
}

func newSite(t *testing.T, api strict.Config, lines ...string) *site {
	st := &site{t: t, logged: make(chan struct{}, 1), open: map[string]bool{}, left: make(chan struct{}, 1)}
	api.Log = func(e strict.Entry) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.log = append(st.log, e)
		select {
		case st.logged <- struct{}{}:
		default:
		}
	}
	handler, err := strict.New(api)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := st.interceptor(); f == nil || !f(w, lineOf(r.Header.Get("X-Request-Id"))) {
			handler.ServeHTTP(w, r)
		}
	}))
	server.Config.ConnState = st.connection
	server.Start()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	st.url, st.in, st.out = server.URL, filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	st.input(lines...)
	return st
}

func (st *site) input(lines ...string) {
	require.NoError(st.t, os.WriteFile(st.in, []byte(strings.Join(lines, "\n")), 0o644))
}

// requests returns the input lines of n requests.
func requests(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"custom_id":"c%d","method":"POST","url":"/v1/things","body":{"n":%d}}`, i+1, i+1)
	}
	return lines
}

// lineOf returns the number of the line with an id.
func lineOf(id string) int {
	number, _, err := parseID(id)
	if err != nil {
		panic(err)
	}
	return number
}

func (st *site) entries() []strict.Entry {
	st.mu.Lock()
	defer st.mu.Unlock()
	return append([]strict.Entry(nil), st.log...)
}

func (st *site) args(more ...string) []string {
	return append([]string{"-in", st.in, "-out", st.out, "-url", st.url, "-rpm", "60000", "-burst", "100", "-backoff", "1ms"}, more...)
}

// process runs batch in this process, without interruption.
func (st *site) process(more ...string) (summary, error) {
	cfg, err := parseFlags(st.args(more...))
	require.NoError(st.t, err)
	return process(st.t.Context(), st.t.Context(), cfg, &bytes.Buffer{})
}

// openOutput opens the output as a run does whose input has that many lines.
func (st *site) openOutput(lines int) *output {
	out, err := openOutput(st.out)
	require.NoError(st.t, err)
	if lines > 0 {
		require.NoError(st.t, out.resume(lines, false))
	}
	return out
}

func (st *site) results() map[string]result {
	f, err := os.Open(st.out)
	require.NoError(st.t, err)
	defer f.Close()
	all := map[string]result{}
	tail, err := readResults(f, func(e *entry) {
		require.NotContains(st.t, all, e.ID, "answered twice")
		var r result
		require.NoError(st.t, json.Unmarshal(e.text, &r))
		all[e.ID] = r
	})
	require.NoError(st.t, err)
	require.Empty(st.t, tail)
	return all
}

var generous = strict.Config{PerMinute: 1_000_000, Burst: 10_000}

// TestUnreliableAPI checks that every line is answered exactly once by an API that fails, drops and delays many
// requests.
func TestUnreliableAPI(t *testing.T) {
	api := generous
	api.FailRate, api.DropRate, api.SlowRate, api.Slow = 0.05, 0.2, 0.1, 5_000_000
	st := newSite(t, api, requests(200)...)
	r := st.start("-retries", "30") // more than any line needs
	sum := r.result(t)
	require.Equal(t, 200, sum.answered)
	require.Zero(t, sum.failed+sum.todo+sum.duplicated)
	require.NotZero(t, sum.retries)
	require.Len(t, st.results(), 200)
	ledger := r.s.Snapshot().Budgets[0].Ledger
	require.Len(t, st.entries(), int(ledger.Spent-ledger.Refunded), "as many requests as were paid for")
	require.GreaterOrEqual(t, len(st.entries()), 200+int(sum.retries))
}

// TestRefused checks that batch obeys an API that allows less than -rpm.
func TestRefused(t *testing.T) {
	st := newSite(t, strict.Config{PerMinute: 600, Burst: 10}, requests(30)...)
	g := st.gate()
	r := st.start("-in-flight", "30")
	for range 30 {
		<-g.held
	}
	g.open() // for all at once
	sum := r.result(t)
	require.Equal(t, 30, sum.answered)
	require.Zero(t, sum.failed+sum.todo+sum.duplicated)
	require.NotZero(t, sum.rateLimited)
}

// TestBadLines checks that a line that can't be read becomes a result that says where it is, and that the others
// run.
func TestBadLines(t *testing.T) {
	good := requests(2)
	st := newSite(t, generous, good[0], "", "{oops", "[1]", "null", `{"url":17,"body":{}}`, `{"url":"ftp://x/","body":{}}`, `{"url":"http://:","body":{}}`, good[1], `{"plain":"body"}`)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 3, failed: 6}, sum.counts)
	var texts []string
	for id, r := range st.results() {
		if r.Error != nil {
			texts = append(texts, r.Error.Message)
			number, _, err := parseID(id)
			require.NoError(t, err)
			require.Contains(t, r.Error.Message, fmt.Sprintf("%s:%d: ", st.in, number))
			require.Nil(t, r.Response)
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"not a JSON object", "url is 17: it must be a string", `url "ftp://x/" is not absolute`, `url "http://:" is not absolute`} {
		require.Contains(t, all, want)
	}
	require.Len(t, st.entries(), 3, "bad lines are not sent")
}

// TestFinalAnswers checks that other 4xx are final, with the answer in the result, and that a 429 without credit
// is not retried.
func TestFinalAnswers(t *testing.T) {
	st := newSite(t, generous, `{"custom_id":"a","url":"/404","body":{}}`)
	st.url = serve(t, 404, `{"error":{"message":"no such model"}}`, nil)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, 1, sum.failed)
	require.Zero(t, sum.retries)
	for _, r := range st.results() {
		require.Equal(t, "a", r.CustomID)
		require.Equal(t, "404 Not Found: no such model", r.Error.Message)
		require.Equal(t, 404, r.Response.StatusCode)
		require.JSONEq(t, `{"error":{"message":"no such model"}}`, string(r.Response.Body))
	}

	st = newSite(t, generous, `{"plain":"body"}`)
	st.url = serve(t, 429, `{"error":{"code":"insufficient_quota"}}`, nil)
	sum, err = st.process()
	require.NoError(t, err)
	require.Equal(t, counts{todo: 1, rateLimited: 1}, sum.counts)
	require.Zero(t, sum.retries, "waiting does not bring credit")
}

// TestResume checks that a second run sends only what the first has left, and a line whose result is torn.
func TestResume(t *testing.T) {
	lines := requests(10)
	st := newSite(t, generous, lines[:6]...)
	_, err := st.process()
	require.NoError(t, err)
	text, err := os.ReadFile(st.out)
	require.NoError(t, err)
	torn := bytes.TrimRight(text, "\n")
	require.NoError(t, os.WriteFile(st.out, torn[:len(torn)-5], 0o644))

	st.input(lines...)
	r := st.start()
	require.Equal(t, counts{answered: 10}, r.result(t).counts)
	require.Contains(t, r.log.String(), "batch: 10 of 10 done, 100%, in ", "lines of the first run count as done")
	require.Len(t, st.results(), 10)
	require.Len(t, st.entries(), 6+1+4)
}

// TestChangedInput checks that an answered line that has changed stops the run.
func TestChangedInput(t *testing.T) {
	lines := append([]string{""}, requests(2)...)
	st := newSite(t, generous, lines...)
	_, err := st.process()
	require.NoError(t, err)
	st.input(`{"not":"yet answered"}`, lines[1], `{"something":"else"}`)
	_, err = st.process()
	require.ErrorContains(t, err, st.in+": line 3 has changed since it was answered: use another -out")

	st.input(lines[:2]...)
	_, err = st.process()
	require.ErrorContains(t, err, "has an answer to line 3, but the input ends at line 2")
	require.Len(t, st.entries(), 2, "not even the lines before the change are sent")
}

// TestAudit checks that a line without a result counts as left to do, even if another line has two results.
func TestAudit(t *testing.T) {
	st := newSite(t, generous, requests(3)...)
	one := newLine(1, []byte(requests(1)[0])).id()
	require.NoError(t, os.WriteFile(st.out, []byte(`{"id":"`+one+`","error":null}
{"id":"`+one+`","error":null}
{"id":"2-00000001","error":null}
{"id":"9-00000001","error":null}
`), 0o644))
	in, err := openInput(st.in)
	require.NoError(t, err)
	defer in.close()
	out := st.openOutput(0)
	defer out.file.Close()
	sum, err := audit(in, out)
	require.NoError(t, err)
	require.Equal(t, counts{answered: 2, todo: 2, duplicated: 1}, sum.counts)
}

// TestBudgetOnResume checks that killing and starting a run again, even before any answer, earns no tokens.
func TestBudgetOnResume(t *testing.T) {
	for _, flags := range [][]string{{"-rpm", "60"}, {"-rpm", "60", "-tpm", "6000"}, {"-rpm", "auto", "-tpm", "auto"}} {
		st := newSite(t, generous, requests(1)...)
		cfg, err := parseFlags(st.args(flags...))
		require.NoError(t, err)
		began := time.Now().Add(-time.Millisecond)
		out := st.openOutput(1)
		for budget, level := range cfg.scheduler(out).Levels { // budgets without a level are full
			require.True(t, cfg.quota(budget).auto)
			require.Equal(t, bucket.State{Tokens: initialTokens}, level)
		}
		out.touch()
		require.NoError(t, out.file.Close())

		out = st.openOutput(1)
		empty := cfg.scheduler(out).Levels
		require.Len(t, empty, len(flags)/2)
		for _, level := range empty {
			require.Zero(t, level.Tokens)
			require.WithinRange(t, level.At, began, time.Now())
		}
		require.NoError(t, out.file.Close())

		b, err := newBatch(t.Context(), cfg, io.Discard)
		require.NoError(t, err)
		for budget, level := range levels(b.s) {
			require.Less(t, level, cfg.limits()[budget].Capacity/10, budget)
		}
		b.close()
	}
}

// TestKeysStayHome checks that the headers, which have keys in them, are not sent anywhere but to -url.
func TestKeysStayHome(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was sent a request") }))
	defer elsewhere.Close()
	st.input(`{"url":"` + elsewhere.URL + `/x","body":{}}`)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{failed: 1}, sum.counts)

	st = newSite(t, generous, `{"plain":"body"}`)
	st.url = redirect(t, elsewhere.URL)
	sum, err = st.process()
	require.NoError(t, err)
	require.Equal(t, counts{failed: 1}, sum.counts)
}

// TestForeignOutput checks that a file that batch did not write is not changed.
func TestForeignOutput(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	for _, foreign := range []string{"hello\n", "{\"id\":\"x\"}\n", "hello", "{\"a\":1}"} {
		require.NoError(t, os.WriteFile(st.out, []byte(foreign), 0o644))
		_, err := st.process()
		require.ErrorContains(t, err, st.out+":")
		require.ErrorContains(t, err, "use another -out")
		text, err := os.ReadFile(st.out)
		require.NoError(t, err)
		require.Equal(t, foreign, string(text))
	}
	st.out = st.in
	_, err := st.process()
	require.ErrorContains(t, err, "-out "+st.in+": -in "+st.in+" is the same file")
	require.FileExists(t, st.in)
}

// TestLock checks that a second run on the same output is refused.
func TestLock(t *testing.T) {
	st := newSite(t, generous, requests(1)...)
	out := st.openOutput(1)
	_, err := st.process()
	require.ErrorIs(t, err, errLocked)
	require.NoError(t, out.file.Close())
	_, err = st.process()
	require.NoError(t, err)
}

// TestResultLine checks the form of the output.
func TestResultLine(t *testing.T) {
	l := newLine(7, []byte(`{}`))
	text, err := json.Marshal(resultOf(l, &response{StatusCode: 200, Body: asJSON([]byte("{\n \"a\": 1}"))}, nil))
	require.NoError(t, err)
	require.Equal(t, `{"id":"7-44136fa3","custom_id":"","response":{"status_code":200,"body":{"a":1}},"error":null}`, string(text))
	require.Equal(t, `"not \"JSON\""`, string(asJSON([]byte(`not "JSON"`))))
}
