package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

var errThrottled = &smithy.GenericAPIError{Code: "ThrottlingException"}

// awsThrottled is the SDK's adaptive mode, with no delay of its own between retries, when
// a server has just refused: it has no token, and gets one every 2 s.
func awsThrottled() *awsretry.AdaptiveMode {
	m := awsAdaptive()
	check(must(m.GetAttemptToken(context.Background()))(errThrottled))
	return m
}

func awsAdaptive() *awsretry.AdaptiveMode {
	return awsretry.NewAdaptiveMode(func(o *awsretry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *awsretry.StandardOptions) {
			o.RateLimiter = ratelimit.None
			o.Backoff = awsretry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
}

func awsWait(m *awsretry.AdaptiveMode) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := m.GetAttemptToken(ctx)
		return err
	}
}

// lateContext is that of a goroutine that wakes up late: a busy machine in small.
type lateContext struct {
	context.Context
	late time.Duration
}

func (c lateContext) Done() <-chan struct{} {
	time.Sleep(c.late)
	return c.Context.Done()
}

// awsOrder: a call that wakes up a second late finds that one who came afterwards has its token.
func awsOrder(t *testing.T) mark {
	l, wait := newCrew(), awsWait(awsThrottled())
	l.call("first", func(ctx context.Context) error { return wait(lateContext{ctx, 3 * time.Second}) })
	l.until(2500 * time.Millisecond)
	l.call("second", wait)
	l.until(time.Minute)
	if slices.Equal(l.served, []string{"second", "first"}) {
		return no
	}
	return yes
}

// awsGaveBack: who waits has taken nothing yet.
func awsGaveBack(t *testing.T) mark {
	l, wait := newCrew(), awsWait(awsThrottled())
	leave := l.call("a", wait)
	l.until(time.Second)
	leave()
	l.call("b", wait)
	l.until(time.Minute)
	if _, served := l.at["a"]; served || l.at["b"] != 2*time.Second {
		return no
	}
	return yes
}

// awsHopeless: there is no token before the deadline, and it is waited for all the same.
func awsHopeless(t *testing.T) mark {
	wait := awsWait(awsThrottled())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	err := wait(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
	if time.Since(began) == time.Second {
		return no
	}
	return yes
}
