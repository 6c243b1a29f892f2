package retry_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func TestBudgetValidate(t *testing.T) {
	for _, c := range []struct {
		budget retry.Budget
		fault  string // in the error; "" if it is valid
	}{
		{retry.Budget{}, ""},
		{retry.Budget{Ratio: 0.001, PerSecond: 0.001, Burst: 1}, ""},
		{retry.Budget{Ratio: 1, PerSecond: 1e6, Burst: 1e6}, ""},
		{retry.Budget{Ratio: 0.0009}, "Budget.Ratio is 0.0009"},
		{retry.Budget{Ratio: 1.001}, "Budget.Ratio is 1.001"},
		{retry.Budget{Ratio: math.NaN()}, "Budget.Ratio is NaN"},
		{retry.Budget{PerSecond: -0.001}, "Budget.PerSecond is -0.001"},
		{retry.Budget{PerSecond: math.Inf(1)}, "Budget.PerSecond is +Inf"},
		{retry.Budget{Burst: -1}, "Budget.Burst is -1"},
		{retry.Budget{Burst: 1e6 + 1}, "Budget.Burst is 1000001"},
	} {
		err := c.budget.Validate()
		if c.fault == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.fault)
		}
	}
}
