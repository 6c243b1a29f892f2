package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func TestDecide_Order(t *testing.T) {
	var (
		plain     = retry.Policy{Jitter: retry.None}
		once      = retry.Policy{MaxRetries: retry.None}
		noServer  = retry.Policy{MaxServerWait: retry.None}
		boundless = retry.Policy{MaxRetries: math.MaxInt, MaxServerWait: math.MaxInt64}
		limited   = func(d time.Duration) retry.Verdict { return retry.Verdict{Kind: retry.KindRateLimited, Wait: d} }
		transient = retry.Verdict{Kind: retry.KindTransient}
	)
	tests := []struct {
		name    string
		policy  retry.Policy
		attempt int
		verdict retry.Verdict
		want    string
	}{
		{"final", plain, 1, retry.Verdict{}, "fail"},
		{"final although a wait is given", plain, 1, retry.Verdict{Wait: time.Second}, "fail"},
		{"final goes before exhausted", plain, 6, retry.Verdict{}, "fail"},
		{"unknown kind", plain, 1, retry.Verdict{Kind: 200}, "fail"},
		{"transient", plain, 1, transient, "retry in 1s"},
		{"rate limited", plain, 3, limited(0), "retry in 4s"},
		{"last retry", plain, 5, transient, "retry in 16s"},
		{"exhausted", plain, 6, transient, "retries exhausted"},
		{"far beyond", plain, math.MaxInt, transient, "retries exhausted"},
		{"exhausted goes before too long", plain, 6, limited(time.Hour), "retries exhausted"},
		{"no retries", once, 1, transient, "retries exhausted"},
		{"no retries, attempt below 1", once, 0, transient, "retries exhausted"},
		{"longest wait accepted", plain, 1, limited(2 * time.Minute), "retry in 2m1s"},
		{"too long", plain, 1, limited(2*time.Minute + 1), "server wait too long"},
		{"much too long", plain, 1, limited(math.MaxInt64), "server wait too long"},
		{"no server wait accepted", noServer, 1, limited(1), "server wait too long"},
		{"no server wait given", noServer, 1, limited(0), "retry in "},
		{"shortest wait", plain, 3, limited(1), "retry in 1ns"},
		{"negative wait is none", plain, 1, limited(math.MinInt64), "retry in 1s"},
		{"any wait accepted", boundless, math.MaxInt - 1, limited(math.MaxInt64), "retry in 2562047h47m16.854775807s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.policy.Decide(1, tt.attempt, tt.verdict)
			require.Contains(t, got.String(), tt.want)
			if got.Action != retry.Again {
				require.Zero(t, got.Delay)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	for want, give := range map[string]interface{ String() string }{
		"final":                           retry.Verdict{Wait: time.Second},
		"transient":                       retry.Verdict{Kind: retry.KindTransient},
		"rate limited":                    retry.Verdict{Kind: retry.KindRateLimited},
		"rate limited, retry after 1m30s": retry.Verdict{Kind: retry.KindRateLimited, Wait: 90 * time.Second},
		"Kind(9)":                         retry.Kind(9),
		"default":                         retry.ScopeDefault,
		"this call alone":                 retry.ScopeCall,
		"this call's key":                 retry.ScopeKey,
		"all calls":                       retry.ScopeAll,
		"Scope(9)":                        retry.Scope(9),
		"fail":                            retry.Decision{},
		"server wait too long":            retry.Decision{Action: retry.TooLong},
		"retry":                           retry.Again,
		"Action(9)":                       retry.Action(9),
	} {
		require.Equal(t, want, give.String())
	}
}
