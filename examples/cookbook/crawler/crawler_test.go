package crawler

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// web is a network of hosts. Its host "busy" refuses the first request with a Retry-After of five minutes, "slow" answers
// after a minute, and others at once.
type web struct {
	mu    sync.Mutex
	start time.Time
	asked map[string][]time.Duration // by host, since the start
}

func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	host := req.URL.Host
	w.asked[host] = append(w.asked[host], time.Since(w.start).Truncate(time.Second))
	first := len(w.asked[host]) == 1
	w.mu.Unlock()
	res := &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Request: req}
	res.Body = io.NopCloser(strings.NewReader("page of " + host))
	switch {
	case host == "slow":
		time.Sleep(time.Minute)
	case host == "busy" && first:
		res.StatusCode, res.Status = http.StatusServiceUnavailable, "503 Service Unavailable"
		res.Header.Set("Retry-After", "300")
	}
	return res, nil
}

// TestPages checks that hosts that are slow or refuse delay no other, and that each gets a request a second.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(Config)
		require.NoError(t, err)
		defer s.Close()
		w := &web{start: time.Now(), asked: map[string][]time.Duration{}}
		var urls []string
		for _, host := range []string{"busy", "slow", "other"} {
			for i := range 20 {
				urls = append(urls, fmt.Sprintf("http://%s/%d", host, i))
			}
		}
		urls = append(urls, "http://%zz")
		all := func(yield func(string) bool) {
			for _, u := range urls {
				if !yield(u) {
					return
				}
			}
		}
		pages, ended := map[string]int{}, map[string]time.Duration{}
		for page := range Pages(t.Context(), s, &http.Client{Transport: w}, all, 100) {
			u, err := url.Parse(page.Input)
			if err != nil {
				require.Error(t, page.Err)
				require.Equal(t, 1, page.Attempts)
				continue
			}
			require.NoError(t, page.Err)
			require.Equal(t, "page of "+u.Host, string(page.Value))
			pages[u.Host]++
			ended[u.Host] = time.Since(w.start).Truncate(time.Second)
		}
		require.Equal(t, map[string]int{"busy": 20, "slow": 20, "other": 20}, pages)
		require.Equal(t, 19*time.Second, ended["other"], "a request a second, behind no other host")
		require.Equal(t, 10*time.Minute, ended["slow"].Truncate(time.Minute), "two at a time")
		require.Len(t, w.asked["busy"], 21, "one has found out for all")
		require.GreaterOrEqual(t, w.asked["busy"][1], 5*time.Minute)
	})
}
