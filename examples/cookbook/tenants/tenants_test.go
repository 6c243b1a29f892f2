package tenants

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is an API that answers at once. It keeps who asked when.
type api struct {
	mu      sync.Mutex
	refused int                        // how many requests are to be refused with a Retry-After of ten seconds
	asked   map[string][]time.Duration // by customer, since the start
	start   time.Time
}

func (a *api) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := customerOf(req).ID
	a.asked[id] = append(a.asked[id], time.Since(a.start).Truncate(100*time.Millisecond))
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
	if a.refused > 0 {
		a.refused--
		res.StatusCode = http.StatusTooManyRequests
		res.Header.Set("Retry-After", "10")
	}
	return res, nil
}

// office is a scheduler with a quota of one request a second, which all have to wait for.
type office struct {
	*api
	s      *scheduler.Scheduler
	client *http.Client
	all    sync.WaitGroup
}

func inOffice(t *testing.T, f func(t *testing.T, o *office)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config(bucket.PerSecond(1), 100)
		cfg.Level = new(bucket.State)
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer s.Close()
		o := &office{api: &api{asked: map[string][]time.Duration{}, start: time.Now()}, s: s}
		o.client = Client(s, o.api)
		f(t, o)
	})
}

// ask sends n requests of a customer.
func (o *office) ask(t *testing.T, c Customer, n int) {
	for range n {
		o.all.Go(func() {
			req, err := http.NewRequestWithContext(For(t.Context(), c), http.MethodGet, "https://api.example.com", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := o.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
		})
	}
	synctest.Wait()
}

// TestTurns checks that a customer with three requests is served in turn with one that came earlier with a hundred, and
// that no token of the quota is lost.
func TestTurns(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.ask(t, Customer{ID: "big"}, 100)
		o.ask(t, Customer{ID: "small"}, 3)
		o.all.Wait()
		small := o.asked["small"]
		require.LessOrEqual(t, small[0], 2*time.Second)
		require.LessOrEqual(t, small[2], 6*time.Second, "not behind all hundred")
		require.Equal(t, 103*time.Second, o.asked["big"][99], "one request a second")
	})
}

// TestShare checks that a customer with three times the share gets three of four turns.
func TestShare(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.ask(t, Customer{ID: "free", Share: 1}, 40)
		o.ask(t, Customer{ID: "paying", Share: 3}, 40)
		time.Sleep(40*time.Second + time.Millisecond)
		o.mu.Lock()
		free, paying := len(o.asked["free"]), len(o.asked["paying"])
		o.mu.Unlock()
		require.Equal(t, 40, free+paying)
		require.InDelta(t, 30, paying, 1)
		o.all.Wait()
	})
}

// TestRefused checks that a refusal of one customer's request holds both, and that it is retried.
func TestRefused(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.refused = 1
		o.ask(t, Customer{ID: "big"}, 1)
		time.Sleep(time.Second + time.Millisecond)
		o.ask(t, Customer{ID: "small"}, 1)
		o.all.Wait()
		require.Len(t, o.asked["big"], 2)
		require.GreaterOrEqual(t, o.asked["small"][0], 11*time.Second)
	})
}

// TestFull checks that a customer whose queue is full is refused, and another is not.
func TestFull(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		o.ask(t, Customer{ID: "big"}, 100)
		req, err := http.NewRequestWithContext(For(t.Context(), Customer{ID: "big"}), http.MethodGet, "https://api.example.com", nil)
		require.NoError(t, err)
		_, err = o.client.Do(req)
		var full *scheduler.QueueFullError
		require.ErrorAs(t, err, &full)
		require.Equal(t, "big", full.Key)
		o.ask(t, Customer{ID: "small"}, 1)
		o.all.Wait()
		require.Len(t, o.asked["small"], 1)
	})
}
