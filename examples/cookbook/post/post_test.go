package post

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop makes an order of each body. It knows keys. Its first answer is bad, in one of several ways.
type shop struct {
	mu     sync.Mutex
	bad    string
	posts  int
	orders []string
	known  map[string]bool
}

func (s *shop) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	first := s.posts == 1
	switch {
	case first && s.bad == "refused":
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case first && s.bad == "unavailable":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if key := req.Header.Get("Idempotency-Key"); key == "" || !s.known[key] {
		s.known[key] = true
		s.orders = append(s.orders, string(body))
	}
	switch {
	case first && s.bad == "lost":
		panic(http.ErrAbortHandler) // the order is made, and its answer is lost
	case first && s.bad == "failed":
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprint(w, "order made")
}

// TestCreate checks that no order is ever made twice, and that each is made that can be without that risk.
func TestCreate(t *testing.T) {
	for _, tt := range []struct {
		bad   string
		keyed bool
		posts int
		ok    bool
	}{
		{"", false, 1, true},
		{"", true, 1, true},
		{"refused", false, 2, true},
		{"refused", true, 2, true},
		{"unavailable", false, 2, true},
		{"unavailable", true, 2, true},
		{"failed", false, 1, false}, // whether the order was made is not known
		{"failed", true, 2, true},
		{"lost", false, 1, false},
		{"lost", true, 2, true},
	} {
		t.Run(fmt.Sprintf("%s keyed=%v", tt.bad, tt.keyed), func(t *testing.T) {
			shop := &shop{bad: tt.bad, known: map[string]bool{}}
			server := httptest.NewServer(shop)
			defer server.Close()
			s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1000), Retry: retry.Policy{Initial: time.Millisecond}})
			require.NoError(t, err)
			defer s.Close()
			client := Client(s, &http.Transport{DisableKeepAlives: true})
			key := ""
			if tt.keyed {
				key = Key()
			}
			answer, err := Create(t.Context(), client, server.URL, key, []byte("two lamps"))
			shop.mu.Lock()
			defer shop.mu.Unlock()
			require.Equal(t, []string{"two lamps"}, shop.orders, "made once")
			require.Equal(t, tt.posts, shop.posts)
			if tt.ok {
				require.NoError(t, err)
				require.Equal(t, "order made", string(answer))
			} else {
				require.Error(t, err)
			}
		})
	}
}
