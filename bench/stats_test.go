package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2.5},
		{[]float64{7}, 0.99, 7},
		{[]float64{1, 2, 3, 4, 5}, 1, 5},
		{[]float64{1, 2, 3, 4, 5}, 0, 1},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.values, c.q, got, c.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v", got)
	}
}

func TestInversions(t *testing.T) {
	for _, c := range []struct {
		order []int
		want  int64
	}{{nil, 0}, {[]int{1}, 0}, {[]int{1, 2, 3}, 0}, {[]int{3, 2, 1}, 3}, {[]int{2, 3, 1}, 2}, {[]int{1, 1}, 0}} {
		if got := inversions(c.order); got != c.want {
			t.Errorf("inversions(%v) = %d, want %d", c.order, got, c.want)
		}
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(301)
	want := int64(0)
	for i := range order {
		for j := range i {
			if order[j] > order[i] {
				want++
			}
		}
	}
	if got := inversions(order); got != want {
		t.Errorf("inversions of a permutation = %d, want %d", got, want)
	}
	slices.Sort(order)
	slices.Reverse(order)
	if got := invertedPart(order); got != 1 {
		t.Errorf("inverted part of what is backwards = %v", got)
	}
}

func TestByTime(t *testing.T) {
	if got := byTime([]time.Duration{30, 10, 20, 10}); !slices.Equal(got, []int{1, 3, 2, 0}) {
		t.Error(got)
	}
}

const ms = time.Millisecond

func TestOver(t *testing.T) {
	l := limit{rate: 1, burst: 2, per: ms}
	for name, c := range map[string]struct {
		grants []time.Duration
		window int
		since  int
	}{
		"nothing":              {nil, 0, 0},
		"a burst and the rate": {[]time.Duration{0, 0, ms, 2 * ms, 3 * ms}, 0, 0},
		"three at once":        {[]time.Duration{0, 0, 0}, 1, 1},
		"late and bunched":     {[]time.Duration{0, 0, 5 * ms, 5 * ms, 5 * ms, 5 * ms}, 2, 0},
		"over in the middle":   {[]time.Duration{9 * ms, 9 * ms, 9 * ms, 9 * ms, 9 * ms, 9 * ms, 10 * ms}, 4, 0},
		"within a nanosecond":  {[]time.Duration{0, 0, ms - 1}, 0, 0},
		"not in order":         {[]time.Duration{2 * ms, 0, ms, 0}, 0, 0},
	} {
		if got := over(l, c.grants); got != c.window {
			t.Errorf("%s: %d over in a window, want %d", name, got, c.window)
		}
		if got := overSince(l, 0, c.grants); got != c.since {
			t.Errorf("%s: %d over since the start, want %d", name, got, c.since)
		}
	}
}

// TestOverAgainstEveryWindow compares with the dumb way of looking at each window.
func TestOverAgainstEveryWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		l := limit{rate: 1 + random.IntN(5), burst: 1 + random.IntN(4), per: ms}
		grants := make([]time.Duration, random.IntN(30))
		for i := range grants {
			grants[i] = time.Duration(random.Int64N(int64(8 * ms)))
		}
		slices.Sort(grants)
		want := 0
		for i := range grants {
			for j := i; j < len(grants); j++ {
				allowed := float64(l.burst) + float64(l.rate)*float64(grants[j]-grants[i]+1)/float64(l.per)
				want = max(want, int(math.Ceil(float64(j-i+1)-allowed-1e-6)))
			}
		}
		if got := over(l, grants); got != want {
			t.Fatalf("%v: %v: %d over, want %d", l, grants, got, want)
		}
	}
}

func TestIdeal(t *testing.T) {
	l := limit{rate: 1, burst: 2, per: ms}
	arrivals := []time.Duration{0, 0, 0, 0, 10 * ms, 10 * ms, 10 * ms}
	want := []time.Duration{0, 0, ms, 2 * ms, 10 * ms, 10 * ms, 11 * ms}
	got := ideal(l, arrivals)
	if !slices.Equal(got, want) {
		t.Errorf("ideal: %v, want %v", got, want)
	}
	if n := over(l, got); n != 0 {
		t.Errorf("the ideal is %d over", n)
	}
}

func TestIdealOnTicks(t *testing.T) {
	l := limit{rate: 1, burst: 1, per: ms}
	arrivals := []time.Duration{ms + 3, ms + 4, 5*ms + 5, 5*ms + 6}
	want := []time.Duration{ms + 3, 2*ms + 1, 5*ms + 5, 6*ms + 1}
	if got := idealOnTicks(l, 1, arrivals); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestLateness(t *testing.T) {
	l := limit{rate: 1, burst: 1, per: ms}
	arrivals := []time.Duration{0, 2, 1} // the last two swapped places
	grants := []time.Duration{0, ms + 500*time.Microsecond, 2 * ms}
	if got := lateness(l, arrivals, grants); !slices.Equal(got, []float64{0, 500, 0}) {
		t.Error(got)
	}
}
