package limits_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bench/peerstests/limits"
	"example.com/fairlead/bucket"
)

func TestPerSecond(t *testing.T) {
	for _, rate := range []float64{
		1, 2, 10, 1000, 1e9, 9e9, 0.5, 0.1, 0.7692307692307693, 0.9695324, 2.5, 1.0 / 3, math.Pi, 0.0001, 1e-9, 123456.789,
	} {
		l := limits.PerSecond(rate, 7)
		require.NoError(t, l.Validate())
		require.EqualValues(t, 7, l.Capacity)
		got := new(big.Rat).Mul(big.NewRat(l.Refill, int64(l.Per)), big.NewRat(int64(time.Second), 1))
		want := new(big.Rat).SetFloat64(rate)
		off, _ := new(big.Rat).Quo(new(big.Rat).Sub(got, want), want).Float64()
		require.LessOrEqual(t, math.Abs(off), 1e-9, "%v became %v", rate, l)
	}
	require.Zero(t, limits.PerSecond(0.5, 1).Per%(2*time.Second), "a half is exact")
}

func TestPerSecondOfWhatNoLimitCanBe(t *testing.T) {
	slowest := bucket.Limit{Capacity: 3, Refill: 1, Per: math.MaxInt64}
	for _, rate := range []float64{0, 1e-10, math.SmallestNonzeroFloat64} {
		require.Equal(t, slowest, limits.PerSecond(rate, 3))
	}
	for _, l := range []bucket.Limit{
		limits.PerSecond(1e10, 1), limits.PerSecond(math.MaxFloat64, 1), limits.PerSecond(math.Inf(1), 1),
		limits.PerSecond(math.MaxFloat64, 0), limits.PerSecond(1, 0), limits.PerSecond(0, 0),
	} {
		require.Error(t, l.Validate(), "%+v", l)
	}
}
