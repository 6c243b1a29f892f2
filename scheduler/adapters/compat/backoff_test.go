package compat

import (
	"errors"
	"testing"
	"time"

	backoff4 "github.com/cenkalti/backoff/v4"
	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler/adapters"
)

var (
	_ backoff.BackOff  = (*adapters.BackOff)(nil)
	_ backoff4.BackOff = (*adapters.BackOff)(nil)
)

var errBusy = errors.New("busy")

// attempts is an operation that always fails and records when.
type attempts struct {
	started time.Time
	at      []time.Duration
}

func (a *attempts) fail() error {
	a.at = append(a.at, time.Since(a.started))
	return errBusy
}

func TestBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, _ adapters.Limiter) {
		b := &adapters.BackOff{Policy: exact}
		for range 2 {
			a := &attempts{started: time.Now()}
			_, err := backoff.Retry(t.Context(), func() (int, error) { return 0, a.fail() }, backoff.WithBackOff(b))
			require.Equal(t, errBusy, err)
			require.Equal(t, seconds(0, 1, 3, 7), a.at)
		}
		a := &attempts{started: time.Now()}
		require.Equal(t, errBusy, backoff4.Retry(a.fail, b))
		require.Equal(t, seconds(0, 1, 3, 7), a.at)
	})
}
