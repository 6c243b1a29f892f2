package retry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func BenchmarkDelay(b *testing.B) {
	p := retry.Policy{}.WithDefaults()
	b.ReportAllocs()
	call := uint64(0)
	for b.Loop() {
		call++
		p.Delay(call, 4)
	}
}

func BenchmarkDecide(b *testing.B) {
	p := retry.Policy{}.WithDefaults()
	for name, v := range map[string]retry.Verdict{
		"backoff": {Kind: retry.KindTransient},
		"server":  {Kind: retry.KindRateLimited, Wait: time.Second},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			call := uint64(0)
			for b.Loop() {
				call++
				p.Decide(call, 4, v)
			}
		})
	}
}

func BenchmarkClassify(b *testing.B) {
	err := retry.After(errors.New("slow down"), time.Second)
	b.ReportAllocs()
	for b.Loop() {
		retry.Classify(err)
	}
}

func TestDecide_AllocatesNothing(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		retry.Policy{}.Decide(1, 4, retry.Verdict{Kind: retry.KindTransient})
	}))
}
