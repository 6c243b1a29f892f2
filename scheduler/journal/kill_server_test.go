package journal

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// entry is a request in the log of a server.
type entry struct {
	id             string
	attempt, life  int
	repeated       bool
	came, answered time.Time
	status         int
}

// server is the API that the handlers of children call. It keeps a log of its own.
type server struct {
	*httptest.Server
	t testing.TB

	mu  sync.Mutex
	log []*entry
}

func newServer(t testing.TB) *server {
	s := &server{t: t}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP takes up to 4 ms, and refuses the first or second attempt of some calls.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &entry{id: r.Header.Get("Id"), came: time.Now(), status: http.StatusOK, repeated: r.Header.Get("Repeated") == "true"}
	e.attempt, _ = strconv.Atoi(r.Header.Get("Attempt")) // zero is noticed when the log is checked
	e.life, _ = strconv.Atoi(r.Header.Get("Life"))
	s.mu.Lock()
	s.log = append(s.log, e)
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil && string(body) != string(payloadOf(e.id)) {
		s.t.Errorf("%s came with the payload %q", e.id, body)
	}
	<-time.After(time.Duration(rand.IntN(4_000_000)))
	if e.attempt < 3 && rand.IntN(6) == 0 {
		e.status = http.StatusServiceUnavailable
	}
	s.mu.Lock()
	e.answered = time.Now()
	s.mu.Unlock()
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, answerTo(e.id)) // the client may be dead
}

// entries returns the log once the server has handled all that came.
func (s *server) entries() []*entry {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log
}
