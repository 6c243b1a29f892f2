package durations

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRound(t *testing.T) {
	for give, want := range map[time.Duration]struct{ nearest, up string }{
		0:                                  {"0s", "0s"},
		1:                                  {"1ns", "1ns"},
		-3118976958:                        {"-3.118976958s", "-3.118976958s"},
		1500 * time.Nanosecond:             {"2µs", "2µs"},
		250 * time.Millisecond:             {"250ms", "250ms"},
		118976958:                          {"118.977ms", "118.977ms"},
		3118976958:                         {"3.1s", "3.2s"},
		3100 * time.Millisecond:            {"3.1s", "3.1s"},
		2*time.Minute + 1:                  {"2m0s", "2m1s"},
		time.Hour + 29500*time.Millisecond: {"1h0m30s", "1h0m30s"},
		math.MaxInt64:                      {"2562047h47m16.854775807s", "2562047h47m16.854775807s"},
	} {
		require.Equal(t, want.nearest, Round(give).String())
		require.LessOrEqual(t, Down(give), max(give, 0))
		require.Equal(t, want.up, Up(give).String())
	}
}
