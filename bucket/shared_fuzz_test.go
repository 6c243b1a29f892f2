package bucket_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// FuzzShared checks that no ask makes a store panic, overflow or answer what can't be, whatever its numbers and the
// instant. All numbers of the asks are drawn from the input.
func FuzzShared(f *testing.F) {
	f.Add([]byte{})
	var odd []byte
	for i := range 200 {
		n := []uint64{0, 1, 2, 50, 1_000_000, 3_000_000_000, 1 << 50, 1 << 52, 1<<53 + 1, math.MaxInt64, 1 << 63, math.MaxUint64}[i*i%11]
		odd = binary.LittleEndian.AppendUint64(odd, n)
	}
	f.Add(odd)
	f.Fuzz(func(t *testing.T, input []byte) {
		var s bucket.Shared
		next := func() int64 {
			var eight [8]byte
			input = input[copy(eight[:], input):]
			return int64(binary.LittleEndian.Uint64(eight[:]))
		}
		epoch, wanted := "", map[string]int64{} // the most, by process and seq: what comes again may want something else
		for len(input) > 0 {
			flags, now := next(), next()
			a := bucket.Ask{
				Process: fmt.Sprint(flags & 3), Seq: uint64(next()), Want: next(), Least: next(), Ahead: time.Duration(next()), Back: next(),
				Charge: next(), Mine: next(), Hold: time.Duration(next()), Remaining: next(), HasRemaining: flags&4 != 0,
				Version: next(), Leave: flags&8 != 0,
			}
			if flags&16 != 0 {
				a.Epoch = epoch
			}
			if flags&32 != 0 {
				a.Limit = bucket.Limit{Capacity: next(), Refill: next(), Per: time.Duration(next())}
			}
			got := s.Exchange(fmt.Sprint(flags>>6&1), now, a)
			normal, err := a.Normalize()
			if err != nil {
				require.Zero(t, got)
				continue
			}
			epoch = got.Epoch
			key := fmt.Sprint(a.Process, " ", a.Seq)
			wanted[key] = max(wanted[key], normal.Want)
			requirePossible(t, wanted[key], got)
			require.Equal(t, got, s.Exchange(fmt.Sprint(flags>>6&1), now, a), "asked again at the same instant")
		}
	})
}

// requirePossible checks that an answer may be, and that a process can count with it in float64.
func requirePossible(t *testing.T, wanted int64, got bucket.Answer) {
	limit := bucket.Limit{Capacity: got.Capacity, Refill: got.Refill, Per: time.Duration(got.Per) * time.Microsecond}
	require.NoError(t, limit.ValidateShared())
	lowest := got.Capacity - maxExact/got.Per
	require.LessOrEqual(t, got.Level, got.Capacity)
	require.GreaterOrEqual(t, got.Level-got.Tokens, lowest)
	require.GreaterOrEqual(t, got.Tokens, int64(0))
	require.LessOrEqual(t, (got.Tokens-got.Level)*got.Per-got.Part, int64(maxExact))
	require.GreaterOrEqual(t, got.Part, int64(0))
	require.Less(t, got.Part, got.Per)
	if got.Level == got.Capacity {
		require.Zero(t, got.Part)
	}
	require.GreaterOrEqual(t, got.Sharers, int64(1))
	require.Positive(t, got.Ahead)
	require.LessOrEqual(t, got.Ahead, bucket.MaxAhead)
	require.GreaterOrEqual(t, got.Held, time.Duration(0))
	require.GreaterOrEqual(t, got.Learning, time.Duration(0))
	require.LessOrEqual(t, got.Learning, bucket.LearnTime)
	require.Positive(t, got.Version)
	if got.Tokens > 0 {
		require.Zero(t, got.Held)
		require.Zero(t, got.Learning)
		require.LessOrEqual(t, got.Tokens, wanted)
	}
}
