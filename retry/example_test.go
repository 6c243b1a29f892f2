package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
)

var errAPI = errors.New("the API refused")

// In a retry loop of your own, the package decides, and the loop waits.
func Example() {
	policy := retry.Policy{MaxRetries: 2, Jitter: retry.None}
	ask := func() error { return retry.Transient(errAPI) }
	var waited time.Duration
	for attempt := 1; ; attempt++ {
		err := ask()
		if err == nil {
			break
		}
		decision := policy.Decide(1, attempt, retry.Classify(err))
		fmt.Println(decision)
		if decision.Action != retry.Again {
			break
		}
		waited += decision.Delay // and time.Sleep(decision.Delay)
	}
	fmt.Println("waited", waited)
	// Output:
	// retry in 1s
	// retry in 2s
	// retries exhausted
	// waited 3s
}

// Each zero field has a default.
func ExamplePolicy() {
	fmt.Println(retry.Policy{})
	fmt.Println(retry.Policy{MaxRetries: 3, Initial: 2 * time.Second, Max: 5 * time.Second, Jitter: retry.None})
	fmt.Println(retry.Policy{MaxRetries: retry.None})
	// Output:
	// 5 retries, 1s to 1m0s ×2 ±10%, server waits up to 2m0s
	// 3 retries, 2s to 5s ×2, server waits up to 2m0s
	// no retries
}

// The jitter depends on the policy's seed, the call and the attempt. So another call waits for another
// time, and a replay for the same time.
func ExamplePolicy_Delay() {
	p := retry.Policy{Max: 5 * time.Second}
	for attempt := 1; attempt <= 4; attempt++ {
		fmt.Println(p.Delay(1, attempt).Round(time.Millisecond), p.Delay(2, attempt).Round(time.Millisecond))
	}
	// Output:
	// 1.094s 1.025s
	// 2.161s 2.196s
	// 3.852s 3.912s
	// 4.673s 4.905s
}

// TotalWait gives the part of a call's longest duration that is known in advance, the waits between its
// attempts.
func ExamplePolicy_TotalWait() {
	var p retry.Policy
	fmt.Println(p.TotalWait(p.Attempts() - 1))
	fmt.Println(p.TotalWait(20)) // with 20 retries
	// Output:
	// 31s
	// 15m3s
}

// No call comes back before the server's wait is over, and not all come back at the same time.
func ExamplePolicy_ServerWait() {
	var p retry.Policy
	for call := range uint64(3) {
		fmt.Println(p.ServerWait(call, 1, 30*time.Second).Round(time.Millisecond))
	}
	// Output:
	// 30.815s
	// 30.833s
	// 31.366s
}

func ExamplePolicy_WithDefaults() {
	p := retry.Policy{Initial: 90 * time.Second, Jitter: retry.None}.WithDefaults()
	fmt.Println(p.MaxRetries, p.Max, p.Multiplier, p.MaxServerWait)
	fmt.Println(p.Jitter == retry.None)
	// Output:
	// 5 1m30s 2 2m0s
	// true
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

// A budget says for itself what it allows.
func ExampleBudget() {
	fmt.Println(retry.Budget{Ratio: 0.2})
	fmt.Println(retry.Budget{Burst: 1, Wait: true})
	fmt.Println(retry.Budget{Ratio: 20}.Validate())
	// Output:
	// 0.2 retries a call and 1 a second, at most 10 at once
	// 0.1 retries a call and 1 a second, at most 1 at once, and others wait
	// retry: Budget.Ratio is 20: give a number from 0.001 to 1, or 0 for the default of 0.1
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

// Verdict.Mark can say more than the other markers.
func ExampleVerdict_Mark() {
	notReady := errors.New("202 Accepted: not ready yet")
	err := retry.Verdict{Kind: retry.KindTransient, Scope: retry.ScopeCall, Wait: 2 * time.Second}.Mark(notReady)
	fmt.Println(err)
	fmt.Println(retry.Classify(err))
	// Output:
	// 202 Accepted: not ready yet (retry after 2s)
	// transient, retry after 2s, this call alone
}

// Any scope other than that of After and AfterAlone is set in a Verdict.
func ExampleScope() {
	err := retry.Verdict{Kind: retry.KindRateLimited, Scope: retry.ScopeAll, Wait: 30 * time.Second}.Mark(errAPI)
	fmt.Println(err)
	fmt.Println(retry.Classify(err))
	// Output:
	// the API refused (retry after 30s)
	// rate limited, retry after 30s, all calls
}

func ExampleKind() {
	fmt.Println(retry.KindFinal, "|", retry.KindTransient, "|", retry.KindRateLimited)
	// Output: final | transient | rate limited
}

// A classifier of your own can judge some errors and leave the rest to another classifier.
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

// A refusal for one model does not hold calls to the others.
func ExampleAfterAlone() {
	err := retry.AfterAlone(errors.New("model-a is overloaded"), time.Second)
	fmt.Println(retry.Classify(err))
	// Output: rate limited, retry after 1s, this call alone
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

// Permanent wins over all other markers.
func ExamplePermanent() {
	err := retry.Permanent(retry.After(errAPI, 30*time.Second))
	fmt.Println(retry.Classify(err))
	// Output: final
}

func ExampleClassify() {
	fmt.Println(retry.Classify(errors.New("429 too many requests, please retry"))) // texts are not read
	fmt.Println(retry.Classify(fmt.Errorf("asking: %w", retry.RateLimited(errAPI))))
	// Output:
	// final
	// rate limited
}

// This classifier retries errors of one kind, unless a marker says otherwise.
func ExampleMarked() {
	classify := func(err error) retry.Verdict {
		if v, ok := retry.Marked(err); ok {
			return v
		}
		if errors.Is(err, errAPI) {
			return retry.Verdict{Kind: retry.KindTransient}
		}
		return retry.Verdict{}
	}
	fmt.Println(classify(errAPI))
	fmt.Println(classify(retry.Permanent(errAPI)))
	fmt.Println(classify(errors.New("no such model")))
	// Output:
	// transient
	// final
	// final
}

// Any retries all but what is marked as final.
func ExampleAny() {
	fmt.Println(retry.Any(errors.New("no idea what this is")))
	fmt.Println(retry.Any(retry.After(errAPI, 30*time.Second)))
	fmt.Println(retry.Any(retry.Permanent(errAPI)))
	fmt.Println(retry.Any(fmt.Errorf("asking: %w", context.Canceled)))
	// Output:
	// transient
	// rate limited, retry after 30s
	// final
	// final
}

func ExampleNetwork() {
	fmt.Println(retry.Network(fmt.Errorf("asking: %w", context.DeadlineExceeded)))
	fmt.Println(retry.Network(errors.New("i/o timeout"))) // texts are not read
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
	// retry: retries exhausted: 2 attempts failed, 1s waited in between, the last with: the API refused
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
