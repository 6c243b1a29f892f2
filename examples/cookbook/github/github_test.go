package github

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v92/github"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hub is a server like GitHub, with pages, both kinds of refusals, and header fields.
type hub struct {
	*httptest.Server
	open chan struct{} // requests wait until it is closed

	mu                  sync.Mutex
	requests, refused   int
	running, maxRunning int    // at the same time
	remaining           string // of the budget, as the header fields say
}

func newHub(t *testing.T) *hub {
	h := &hub{open: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/{owner}/{name}/issues", h.issues)
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

const (
	perPage = 2
	issues  = 5
)

func (h *hub) issues(w http.ResponseWriter, r *http.Request) {
	refused := h.enter(w.Header())
	defer h.leave()
	<-h.open
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case refused:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"You have exceeded a rate limit."}`)
		return
	case r.PathValue("name") == "gone":
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"Not Found"}`)
		return
	}
	page := 1
	if p := r.FormValue("page"); p != "" {
		page, _ = strconv.Atoi(p)
	}
	if page*perPage < issues {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, h.URL, r.URL.Path, page+1))
	}
	var list []string
	for n := (page-1)*perPage + 1; n <= min(page*perPage, issues); n++ {
		list = append(list, fmt.Sprintf(`{"number":%d,"title":%q}`, n, r.PathValue("name")))
	}
	fmt.Fprintf(w, "[%s]", strings.Join(list, ","))
}

// enter counts a request, and reports whether it is refused. One is refused by the primary limit, and one by the
// secondary limit.
func (h *hub) enter(header http.Header) (refused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	h.running++
	h.maxRunning = max(h.maxRunning, h.running)
	header.Set("X-GitHub-Request-Id", strconv.Itoa(h.requests))
	header.Set("X-RateLimit-Limit", "5000")
	header.Set("X-RateLimit-Resource", "core")
	header.Set("X-RateLimit-Remaining", cmp.Or(h.remaining, "4999"))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Unix()+1, 10))
	switch h.requests {
	case 10: // the last request of the budget is answered
		header.Set("X-RateLimit-Remaining", "0")
		header.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Unix()+3600, 10))
		return false
	case 4:
		header.Set("X-RateLimit-Remaining", "0")
	case 5:
		header.Set("Retry-After", "1")
	default:
		return false
	}
	h.refused++
	return true
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
}

// TestCrawl checks that all issues of all repositories are read, in order, although two requests are refused.
func TestCrawl(t *testing.T) {
	h := newHub(t)
	api := h.URL + "/"
	c, err := New(3_600_000, h.Client().Transport, github.WithURLs(&api, &api))
	require.NoError(t, err)
	defer c.Close()

	var repos []string
	for i := range 20 {
		repos = append(repos, fmt.Sprintf("some/repo%d", i))
	}
	repos[7], repos[13] = "some/gone", "nonsense"

	queued := c.requests.Subscribe(events.Of(events.Queued))
	defer queued.Close()
	atOnce := make(chan int, 1)
	go func() {
		for range 8 {
			<-queued.C
		}
		atOnce <- c.requests.Snapshot().Running
		close(h.open)
	}()
	i := 0
	for res := range c.Issues(t.Context(), slices.Values(repos)) {
		require.Equal(t, repos[i], res.Input)
		i++
		switch res.Input {
		case "some/gone":
			var missing *github.ErrorResponse
			require.ErrorAs(t, res.Err, &missing)
			require.Equal(t, http.StatusNotFound, missing.Response.StatusCode)
		case "nonsense":
			require.EqualError(t, res.Err, "nonsense is not owner/name")
		default:
			require.NoError(t, res.Err)
			require.Len(t, res.Value, issues)
			for n, issue := range res.Value {
				require.Equal(t, n+1, issue.GetNumber())
				require.Equal(t, res.Input, "some/"+issue.GetTitle())
			}
		}
	}
	require.Equal(t, len(repos), i)

	totals := c.requests.Snapshot().Totals
	require.Equal(t, 18*3+1+2, h.requests, "pages, a repository that is gone, and refusals")
	require.EqualValues(t, h.requests, totals.Attempts)
	require.EqualValues(t, 2, totals.RateLimited)
	require.Equal(t, 2, h.refused)
	require.Equal(t, 4, <-atOnce, "of eight repositories' requests")
	require.LessOrEqual(t, h.maxRunning, 4)
	require.Zero(t, c.work.Snapshot().Ledger.Spent)
}

// TestHubIsBelieved checks that the remaining quota in an answer counts if it is less, since others use the same
// account.
func TestHubIsBelieved(t *testing.T) {
	h := newHub(t)
	close(h.open)
	h.remaining = "7"
	api := h.URL + "/"
	c, err := New(60, h.Client().Transport, github.WithURLs(&api, &api))
	require.NoError(t, err)
	defer c.Close()
	for res := range c.Issues(t.Context(), slices.Values([]string{"some/repo"})) {
		require.NoError(t, res.Err)
	}
	require.LessOrEqual(t, c.requests.Snapshot().Available, int64(8), "7, and what came within a minute")
}
