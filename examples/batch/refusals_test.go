package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// refuseAll answers every request of a site with the same refusal.
func (st *site) refuseAll(status int, body string, fields ...string) (asked *atomic.Int64) {
	asked = new(atomic.Int64)
	st.intercept(func(w http.ResponseWriter, _ int) bool {
		asked.Add(1)
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return true
	})
	return asked
}

// TestH78_RefusalsAreNotAnswers checks that a bad key, account or URL soon stops the run. Once it is fixed, the
// same command answers every line.
func TestH78_RefusalsAreNotAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"wrong key":       {401, `{"error":{"message":"no such key"}}`, " × 401 Unauthorized: no such key\n  fix -header or the account, and the same"},
		"no right to it":  {403, `no`, " × 403 Forbidden\n  fix -header"},
		"no money":        {402, `{"error":"pay first"}`, " × 402 Payment Required: pay first\n  fix -header"},
		"a proxy's key":   {407, ``, " × 407 Proxy Authentication Required\n  fix -header"},
		"no credit":       {429, `{"error":{"code":"insufficient_quota","message":"empty"}}`, " × 429 Too Many Requests: empty\n  fix -header"},
		"credit in a 200": {200, `{"error":{"type":"insufficient_quota"}}`, " × 200 OK, but its body is an error\n  fix -header"},
		"wrong path":      {404, `{"error":{"message":"no such path"}}`, " × 404 Not Found: no such path\n  fix -url"},
		"wrong method":    {405, ``, " × 405 Method Not Allowed\n  fix -url"},
		"moved":           {301, ``, " × 301 Moved Permanently\n  fix -url"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, generous, requests(200)...)
			asked := st.refuseAll(c.status, c.body)
			sum, err := st.process("-in-flight", "4")
			require.NoError(t, err)
			require.Equal(t, 200, sum.todo)
			require.Zero(t, sum.retries)
			require.ErrorContains(t, sum.stopped, c.want)
			require.Empty(t, st.results())
			require.LessOrEqual(t, asked.Load(), int64(10+3), "ten in a row, and those in flight by then")

			st.intercept(nil)
			sum, err = st.process()
			require.NoError(t, err)
			require.NoError(t, sum.stopped)
			require.Equal(t, 200, sum.answered)
			st.requireOnce(200)
		})
	}
}

// TestFewRefusals checks a file with fewer lines than -stop-after, for each kind of refusal.
func TestFewRefusals(t *testing.T) {
	st := newSite(t, generous, requests(3)...)
	st.refuseAll(401, ``)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{todo: 3}, sum.counts)
	require.ErrorContains(t, sum.stopped, "\n  3 × 401 Unauthorized\n")

	st.refuseAll(404, ``)
	sum, err = st.process()
	require.NoError(t, err)
	require.Equal(t, counts{failed: 3}, sum.counts, "a 404 may be about the line")
	require.NoError(t, sum.stopped)
	require.Contains(t, sum.String(), "failed:           3\n  3 × 404 Not Found\n  check -url and the url of these lines; ")

	st.input(append(requests(3), "{bad")...)
	sum, err = st.process()
	require.NoError(t, err)
	require.Equal(t, counts{failed: 4}, sum.counts)
	require.NotContains(t, sum.String(), "look at -url", "one failure has another reason")
}

// TestStopSaysWhy checks that a run that stops by itself says why while requests still run.
func TestStopSaysWhy(t *testing.T) {
	for want, c := range map[string]struct {
		status int
		fields []string
	}{
		"2 requests in a row failed (401 Unauthorized: no such key)": {status: 401},
		"the server asks to wait 8h0m0s":                             {429, []string{"Retry-After", "28800"}},
	} {
		st := newSite(t, generous, requests(20)...)
		g := newGate(t)
		st.intercept(func(w http.ResponseWriter, line int) bool {
			if line == 1 {
				g.pass(line)
			}
			for i := 0; i < len(c.fields); i += 2 {
				w.Header().Set(c.fields[i], c.fields[i+1])
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, `{"error":{"message":"no such key"}}`)
			return true
		})
		r := st.start("-in-flight", "2", "-stop-after", "2")
		r.log.await(t, "batch: stopping, since "+want+"; queued requests are left to the next run, running ones (")
		require.Regexp(t, `\([12]\) may finish; Ctrl-C twice stops at once\n`, r.log.String()) // the attempt that stops the run may still be running
		g.open()
		require.Error(t, r.result(t).stopped)
	}
}

// TestRefusalsBetweenAnswers checks that a refusal is its line's result if other lines are answered, even at the
// end of the file. The summary counts reasons.
func TestRefusalsBetweenAnswers(t *testing.T) {
	st := newSite(t, generous, requests(60)...)
	st.intercept(func(w http.ResponseWriter, line int) bool {
		if line%3 != 0 {
			return false
		}
		w.WriteHeader(403)
		fmt.Fprint(w, `{"error":{"message":"not this one"}}`)
		return true
	})
	r := st.start("-in-flight", "1")
	sum := r.result(t)
	require.NoError(t, sum.stopped)
	require.Equal(t, counts{answered: 40, failed: 20}, sum.counts)
	require.Contains(t, sum.String(), "failed:           20\n  20 × 403 Forbidden: not this one\nleft to do:       0\n")
	require.Equal(t, 20, int(r.tally.failed.Load()))
	r.requireNoBytesInMemory(t)
}

// TestStopAfter checks that -stop-after sets the number of refusals in a row, and that 0 makes every refusal a
// result.
func TestStopAfter(t *testing.T) {
	st := newSite(t, generous, requests(40)...)
	asked := st.refuseAll(401, ``)
	sum, err := st.process("-in-flight", "1", "-stop-after", "20")
	require.NoError(t, err)
	require.Equal(t, 40, sum.todo)
	require.EqualValues(t, 20, asked.Load())

	sum, err = st.process("-stop-after", "0")
	require.NoError(t, err)
	require.NoError(t, sum.stopped)
	require.Equal(t, counts{failed: 40}, sum.counts)
	require.Contains(t, sum.String(), "\n  40 × 401 Unauthorized\n")
}

// TestTheDaysQuota checks that a Retry-After above -max-server-wait stops the run, and that no line fails by it.
func TestTheDaysQuota(t *testing.T) {
	for name, fields := range map[string][]string{
		"seconds":     {"Retry-After", "28800"},
		"in the body": nil,
	} {
		st := newSite(t, generous, requests(100)...)
		asked := st.refuseAll(429, `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"28800s"}]}}`, fields...)
		sum, err := st.process("-in-flight", "4")
		require.NoError(t, err)
		require.Equal(t, 100, sum.todo, name)
		require.ErrorContains(t, sum.stopped, "the server asks to wait 8h0m0s, until ", name)
		require.ErrorContains(t, sum.stopped, "-max-server-wait is 10m0s", name)
		require.LessOrEqual(t, asked.Load(), int64(4), name)

		_, err = st.process("-max-server-wait", "0", "-in-flight", "1")
		require.NoError(t, err)
		require.Empty(t, st.results(), "0 accepts no wait at all")
	}
}

// TestNoConnectionEver checks that batch does not wait for a server with an untrusted certificate or without
// TLS.
func TestNoConnectionEver(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for want, url := range map[string]string{
		"tls: failed to verify certificate: x509:":                         secure.URL,
		"tls: first record does not look like a TLS handshake\n  fix -url": strings.Replace(redirect(t, "/"), "http:", "https:", 1),
	} {
		for _, n := range []int{3, 100} {
			st := newSite(t, generous, requests(n)...)
			st.url = url
			sum, err := st.process()
			require.NoError(t, err)
			require.Equal(t, n, sum.todo)
			require.ErrorContains(t, sum.stopped, want)
		}
	}

	cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-url", serve(t, 200, `{}`, nil)})
	require.NoError(t, err)
	s := newSender(cfg, t.Context())
	defer s.transport.CloseIdleConnections()
	typo := fmt.Errorf("dial: %w", &net.DNSError{Err: "no such host", Name: "api.opneai.com", IsNotFound: true})
	require.False(t, s.noAnswer(t.Context(), typo, false).away)
	require.Equal(t, theServer, blameFor(s.noAnswer(t.Context(), typo, false).err))
	l := newLine(1, []byte(`{}`))
	l.parse("a", cfg.url)
	require.NoError(t, s.send(l).err)
	require.True(t, s.noAnswer(t.Context(), typo, false).away, "it was reached before")
}

// TestMissingURL checks that a line that needs -url is found before anything is sent.
func TestMissingURL(t *testing.T) {
	st := newSite(t, generous)
	st.input(`{"url":"`+st.url+`/v1/x","body":{}}`, `{"url":"/v1/x?key=s3cret","body":{}}`)
	st.url = ""
	_, err := st.process()
	require.ErrorContains(t, err, "-in "+st.in+": line 2: url \"/v1/x?key=…\" is not absolute, and there is no -url to complete it")
	require.ErrorAs(t, err, new(*fileError), "exit code 2")
	require.Empty(t, st.entries())
	require.NoFileExists(t, st.out)
}

// TestFirstRequest checks that if -url has a path or a query, batch first says where the first request goes.
func TestFirstRequest(t *testing.T) {
	for path, want := range map[string]string{
		"/gateway/v1?api-version=7": "batch: the first request is POST %s/gateway/v1/things?api-version=…\n",
		"/?key=s3cret":              "batch: the first request is POST %s/v1/things?key=…\n",
		"/":                         "",
	} {
		st := newSite(t, generous, append([]string{"{bad"}, requests(3)...)...)
		g := st.gate()
		site := st.url
		st.url += path
		r := st.start()
		<-g.held
		if want == "" {
			require.NotContains(t, r.log.String(), "first request")
		} else {
			require.Equal(t, 1, strings.Count(r.log.String(), fmt.Sprintf(want, site)))
		}
		g.open()
		r.result(t)
	}
}

// TestReasons checks that the summary has the most frequent reasons, and that a bounded number is counted.
func TestReasons(t *testing.T) {
	var r reasons
	for i := range 2 * maxReasons {
		r.add(fmt.Sprint("reason ", i))
		r.add("the usual")
		if i%2 == 0 {
			r.add("the other")
		}
	}
	require.Equal(t, []string{"2000 × the usual", "1000 × the other", "1 × reason 0", "1 × reason 1", "1 × reason 10", "1997 for other reasons"}, r.lines())
	require.Len(t, r.count, maxReasons)
	require.Empty(t, new(reasons).lines())

	advice := reasons{}
	for _, id := range []string{"7", "8"} {
		advice.add(strings.Repeat("x", 100) + ":\nlook here; request " + id)
	}
	advice.add(strings.Repeat("y", 400))
	require.Equal(t, []string{"2 × " + strings.Repeat("x", 100) + ": look here; request 7", "1 × " + strings.Repeat("y", 299) + "…"}, advice.lines())

	for want, text := range map[string]string{
		"503 Service Unavailable: busy":  `{"response":{"status_code":503,"body":{"error":{"message":"busy"}}},"error":{"message":"retries exhausted: 6 attempts failed, 1s waited in between, the last with: 503 Service Unavailable: busy"}}`,
		"EOF":                            `{"error":{"message":"retries exhausted: 6 attempts failed, 31.2s waited in between, the last with: EOF"}}`,
		"in.jsonl:7: not a JSON object:": `{"error":{"message":"in.jsonl:7: not a JSON object:"}}`,
	} {
		var res result
		require.NoError(t, json.Unmarshal([]byte(text), &res))
		require.Equal(t, want, res.reason())
	}
}
