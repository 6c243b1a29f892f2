package retry

import "testing"

// TestMix_PublishedVectors checks the first outputs of splitmix64 from state 0, as published with its
// reference implementation (Vigna, splitmix64.c).
func TestMix_PublishedVectors(t *testing.T) {
	var state uint64
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		state += golden
		if got := mix(state); got != want {
			t.Errorf("output %d is %#x, want %#x", i, got, want)
		}
	}
}

func TestUpTo_Edges(t *testing.T) {
	const all = 1<<64 - 1
	for _, tt := range []struct{ n, random, want uint64 }{
		{0, 0, 0}, {0, all, 0}, {1, all >> 1, 0}, {1, all>>1 + 1, 1}, {9, all, 9}, {all - 1, all, all - 1},
	} {
		if got := upTo(tt.n, tt.random); got != tt.want {
			t.Errorf("upTo(%d, %#x) is %d, want %d", tt.n, tt.random, got, tt.want)
		}
	}
}
