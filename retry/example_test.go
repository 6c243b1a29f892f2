package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
)

var errAPI = errors.New("the API refused")

func ExamplePolicy() {
	p := retry.Policy{
		MaxRetries: 3,
		Initial:    2 * time.Second,
		Max:        5 * time.Second,
		Jitter:     retry.None,
	}
	fmt.Println(p)
	for attempt := range p.Attempts() - 1 {
		fmt.Println(p.Delay(1, attempt+1))
	}
	fmt.Println("in all", p.TotalWait(3))
	// Output:
	// 3 retries, 2s to 5s ×2, server waits up to 2m0s
	// 2s
	// 4s
	// 5s
	// in all 11s
}

func ExamplePolicy_Validate() {
	fmt.Println(retry.Policy{Multiplier: 0.5, Jitter: 10}.Validate())
	// Output:
	// retry: Policy.Multiplier is 0.5: give a finite number of 1 or more, or 0 for the default of 2
	// retry: Policy.Jitter is 10: give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter
}

func ExamplePolicy_Decide() {
	var p retry.Policy
	call, attempt := uint64(17), 1 // the first attempt of the 17th call has failed
	fmt.Println(p.Decide(call, attempt, retry.Verdict{}))
	fmt.Println(p.Decide(call, attempt, retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Hour}))
	fmt.Println(p.Decide(call, p.Attempts(), retry.Verdict{Kind: retry.KindTransient}))
	// Output:
	// fail
	// server wait too long
	// retries exhausted
}

func ExampleDecision() {
	p := retry.Policy{Jitter: retry.None}
	d := p.Decide(1, 3, retry.Verdict{Kind: retry.KindTransient})
	if d.Action == retry.Again {
		fmt.Println(d, d.Delay.Seconds())
	}
	// Output: retry in 4s 4
}

func ExampleAction() {
	fmt.Println(retry.Fail, "|", retry.Exhausted, "|", retry.TooLong, "|", retry.Again)
	// Output: fail | retries exhausted | server wait too long | retry
}

func ExampleVerdict() {
	fmt.Println(retry.Verdict{})
	fmt.Println(retry.Verdict{Kind: retry.KindTransient})
	fmt.Println(retry.Verdict{Kind: retry.KindRateLimited, Wait: 30 * time.Second})
	// Output:
	// final
	// transient
	// rate limited, retry after 30s
}

func ExampleKind() {
	fmt.Println(retry.KindFinal, "|", retry.KindTransient, "|", retry.KindRateLimited)
	// Output: final | transient | rate limited
}

// A classifier of one's own decides what it knows, and leaves the rest to another.
func ExampleClassifier() {
	errBusy := errors.New("busy")
	var classify retry.Classifier = func(err error) retry.Verdict {
		if errors.Is(err, errBusy) {
			return retry.Verdict{Kind: retry.KindTransient}
		}
		return retry.Network(err)
	}
	fmt.Println(classify(fmt.Errorf("asking: %w", errBusy)))
	fmt.Println(classify(context.DeadlineExceeded))
	fmt.Println(classify(context.Canceled))
	// Output:
	// transient
	// transient
	// final
}

func ExampleAfter() {
	err := retry.After(errAPI, 30*time.Second)
	fmt.Println(err)
	fmt.Println(retry.Classify(err))
	fmt.Println(errors.Is(err, errAPI))
	// Output:
	// the API refused (retry after 30s)
	// rate limited, retry after 30s
	// true
}

func ExampleRateLimited() {
	err := retry.RateLimited(errAPI)
	fmt.Println(err)
	fmt.Println(retry.Classify(err))
	// Output:
	// the API refused (rate limited)
	// rate limited
}

func ExampleTransient() {
	fmt.Println(retry.Classify(retry.Transient(errAPI)))
	// Output: transient
}

// Permanent wins over whatever else is said about an error.
func ExamplePermanent() {
	err := retry.Permanent(retry.After(errAPI, 30*time.Second))
	fmt.Println(retry.Classify(err))
	// Output: final
}

func ExampleClassify() {
	fmt.Println(retry.Classify(errors.New("429 too many requests, please retry"))) // a text is no verdict
	fmt.Println(retry.Classify(fmt.Errorf("asking: %w", retry.RateLimited(errAPI))))
	// Output:
	// final
	// rate limited
}

func ExampleNetwork() {
	fmt.Println(retry.Network(fmt.Errorf("asking: %w", context.DeadlineExceeded)))
	fmt.Println(retry.Network(errors.New("i/o timeout"))) // a text is no verdict
	// Output:
	// transient
	// final
}

func ExampleExhaustedError() {
	var err error = &retry.ExhaustedError{
		Attempts: 2,
		Waited:   time.Second,
		Errors:   []error{errors.New("busy"), errAPI},
	}
	fmt.Println(err)
	fmt.Println(errors.Is(err, retry.ErrExhausted), errors.Is(err, errAPI))
	// Output:
	// retries exhausted: 2 attempts failed, 1s waited in between, the last with: the API refused
	// true true
}

func ExampleWaitTooLongError() {
	var err error = &retry.WaitTooLongError{
		Wait:    time.Hour,
		Max:     2 * time.Minute,
		RetryAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Err:     errAPI,
	}
	var tooLong *retry.WaitTooLongError
	if errors.As(err, &tooLong) {
		fmt.Println("again at", tooLong.RetryAt.Format(time.Kitchen))
	}
	// Output: again at 3:04AM
}
