package faketest

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestFetchIsPatient takes 35 minutes on the mock clock, and none on yours.
func TestFetchIsPatient(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s, err := scheduler.New(scheduler.Config{
			Clock: mock,
			Retry: retry.Policy{MaxServerWait: time.Hour},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		var page string
		busy := true
		start, finished := mock.Now(), time.Time{}
		go func() {
			page, err = Fetch(context.Background(), s, func(context.Context) (string, error) {
				if busy {
					busy = false
					return "", retry.After(errors.New("come back later"), 30*time.Minute)
				}
				return "hello", nil
			})
			finished = mock.Now()
		}()
		mock.Add(35 * time.Minute) // when this returns, all that was due has happened
		if page != "hello" || err != nil {
			t.Fatalf("got %q, %v", page, err)
		}
		if waited := finished.Sub(start); waited < 30*time.Minute {
			t.Errorf("waited %v: the server was undercut", waited)
		}
	})
}
