package fakeclock

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a client with a mock clock and a real server. The channel receives the path of each request.
func start(t *testing.T, mock *clocktest.Mock, answer http.HandlerFunc) (w *Weather, url string, asked <-chan string) {
	paths := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r)
		paths <- r.URL.Path
	}))
	t.Cleanup(server.Close)
	w, err := New(mock, server.Client().Transport)
	require.NoError(t, err)
	t.Cleanup(w.Scheduler.Close)
	return w, server.URL, paths
}

// TestObeysTheServer checks that a server that asks to wait an hour is asked again shortly after the hour, and
// not before.
func TestObeysTheServer(t *testing.T) {
	mock, busy := clocktest.NewMock(), true
	w, url, asked := start(t, mock, func(w http.ResponseWriter, _ *http.Request) {
		if busy {
			busy = false
			w.Header().Set("Retry-After", mock.Now().Add(time.Hour).Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, "rain")
	})
	refused := w.Scheduler.Subscribe(events.Of(events.Retrying))
	defer refused.Close()

	answer := make(chan string, 1)
	go func() {
		text, err := w.At(t.Context(), url+"/here")
		if err != nil {
			t.Error(err)
		}
		answer <- text
	}()
	<-refused.C // the scheduler has the refusal, and nothing more happens until the clock moves
	<-asked

	clocktest.Advance(w.Scheduler, mock, time.Hour-time.Nanosecond)
	require.Empty(t, asked, "too early")
	clocktest.Advance(w.Scheduler, mock, 2*time.Minute) // jitter adds a few seconds, and a token takes a minute
	require.Equal(t, "rain", <-answer)
}

// TestOneAMinute checks that three requests start exactly a minute apart. It takes the times from events, since
// the clock may have moved before a request is answered.
func TestOneAMinute(t *testing.T) {
	mock := clocktest.NewMock()
	w, url, asked := start(t, mock, func(http.ResponseWriter, *http.Request) {})
	granted := w.Scheduler.Subscribe(events.Of(events.Granted))
	defer granted.Close()
	queued := w.Scheduler.Subscribe(events.Of(events.Queued))
	defer queued.Close()

	started, ended := mock.Now(), make(chan error, 3)
	for _, path := range []string{"/a", "/b", "/c"} {
		go func() {
			_, err := w.At(t.Context(), url+path)
			ended <- err
		}()
		<-queued.C // so that they arrive in this order
	}
	for i, path := range []string{"/a", "/b", "/c"} {
		require.Equal(t, started.Add(time.Duration(i)*time.Minute), (<-granted.C).At)
		require.Equal(t, path, <-asked) // wait for the answer before time moves
		require.NoError(t, <-ended)
		clocktest.Advance(w.Scheduler, mock, time.Minute)
	}
}
