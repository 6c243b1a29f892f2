package retry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func TestR6_ExhaustedError(t *testing.T) {
	first, last := errors.New("first"), throttled{limited: true}
	err := wrap(&retry.ExhaustedError{Attempts: 2, Waited: 1_043_217_731, Errors: []error{first, last}})

	require.ErrorIs(t, err, retry.ErrExhausted)
	require.NotErrorIs(t, err, retry.ErrWaitTooLong)
	require.ErrorIs(t, err, last)
	require.NotErrorIs(t, err, first)
	require.ErrorAs(t, err, new(throttled))
	var exhausted *retry.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Equal(t, []error{first, last}, exhausted.Errors)
	require.EqualError(t, exhausted, "retry: retries exhausted: 2 attempts failed, 1s waited in between, the last with: throttled")
}

func TestExhaustedError_Text(t *testing.T) {
	require.EqualError(t, &retry.ExhaustedError{}, "retry: retries exhausted: 0 attempts failed")
	require.EqualError(t, &retry.ExhaustedError{Attempts: 1, Errors: []error{errPlain}},
		"retry: retries exhausted: 1 attempt failed, the last with: plain")
	require.EqualError(t, &retry.ExhaustedError{Attempts: 2, Waited: 1234 * time.Microsecond},
		"retry: retries exhausted: 2 attempts failed, 1.234ms waited in between")
	require.EqualError(t, &retry.ExhaustedError{Attempts: 3, Waited: 3 * time.Second, Errors: []error{errPlain}, MaxElapsed: 10 * time.Second, Elapsed: 10*time.Second + 1},
		"retry: retries exhausted: 3 attempts failed, 3s waited in between, the next would begin 10.1s after the first and Policy.MaxElapsed is 10s, the last with: plain")
	require.NoError(t, errors.Unwrap(&retry.ExhaustedError{}))
}

func TestR5_WaitTooLongError(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	err := wrap(&retry.WaitTooLongError{Wait: time.Hour, Max: 2 * time.Minute, RetryAt: at, Err: errPlain})

	require.ErrorIs(t, err, retry.ErrWaitTooLong)
	require.NotErrorIs(t, err, retry.ErrExhausted)
	require.ErrorIs(t, err, errPlain)
	var tooLong *retry.WaitTooLongError
	require.ErrorAs(t, err, &tooLong)
	require.Equal(t, at, tooLong.RetryAt)
}

func TestWaitTooLongError_Text(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	require.EqualError(t, &retry.WaitTooLongError{Wait: time.Hour, Max: 2 * time.Minute, RetryAt: at, Err: errPlain},
		"retry: server's wait is too long: it asks for 1h0m0s, Policy.MaxServerWait is 2m0s: raise it or try again at 2030-01-02T03:04:05Z: plain")
	require.EqualError(t, &retry.WaitTooLongError{Wait: time.Hour, Max: retry.None},
		"retry: server's wait is too long: it asks for 1h0m0s, Policy.MaxServerWait accepts none: raise it or try again later")
}
