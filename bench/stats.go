package main

import (
	"math"
	"slices"
	"time"
)

// median returns the middle of the values, or the mean of the two in the middle.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value below which a part q of the values lies, interpolated. It is NaN if
// there are no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// inversions counts the pairs of which the later number is the smaller one.
func inversions(order []int) int64 {
	return countInversions(slices.Clone(order), make([]int, len(order)))
}

// countInversions sorts by merging; whatever is taken from the right half goes ahead of
// all that is left of the left one.
func countInversions(a, spare []int) int64 {
	if len(a) < 2 {
		return 0
	}
	half := len(a) / 2
	count := countInversions(a[:half], spare[:half]) + countInversions(a[half:], spare[half:])
	copy(spare, a)
	left, right := spare[:half], spare[half:]
	for i := range a {
		if len(right) == 0 || len(left) > 0 && left[0] <= right[0] {
			a[i], left = left[0], left[1:]
		} else {
			a[i], right = right[0], right[1:]
			count += int64(len(left))
		}
	}
	return count
}

// invertedPart returns the part of all pairs that are inverted. It is 0 in order, about 0.5 at
// random, and 1 backwards.
func invertedPart(order []int) float64 {
	n := float64(len(order))
	if n < 2 {
		return 0
	}
	return float64(inversions(order)) / (n * (n - 1) / 2)
}

// byTime returns the indices of the instants in the order of time.
func byTime(at []time.Duration) []int {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return int(at[i] - at[j]) })
	return order
}

// over returns how many whole tokens more than a bucket allows were granted in any window of time.
// The grants are of one token each. A window of length w may have fewer than burst + rate·(w + 1
// ns), as instants are whole nanoseconds.
func over(l limit, grants []time.Duration) int {
	sorted := slices.Sorted(slices.Values(grants))
	perNano := float64(l.rate) / float64(l.per)
	worst, least := 0.0, math.Inf(1)
	for i, at := range sorted {
		least = min(least, float64(i)-perNano*float64(at))
		inWindow := float64(i+1) - perNano*float64(at) - least
		worst = max(worst, inWindow-float64(l.burst)-perNano)
	}
	return int(math.Ceil(worst - 1e-6))
}

// overSince returns the same for the windows that begin at start, when the bucket was full. A grant
// that is seen late never counts against the limiter.
func overSince(l limit, start time.Duration, grants []time.Duration) int {
	sorted := slices.Sorted(slices.Values(grants))
	worst := 0.0
	for i, at := range sorted {
		allowed := float64(l.burst) + float64(l.rate)*float64(at-start+1)/float64(l.per)
		worst = max(worst, float64(i+1)-allowed)
	}
	return int(math.Ceil(worst - 1e-6))
}

// ideal returns for each of the sorted arrivals the first instant at which its token exists. The
// bucket starts full.
func ideal(l limit, arrivals []time.Duration) []time.Duration {
	interval := float64(l.per) / float64(l.rate)
	grants := make([]time.Duration, len(arrivals))
	full := math.Inf(-1) // when the bucket would be full again
	latest := time.Duration(math.MinInt64)
	for i, at := range arrivals {
		grant := max(float64(at), float64(latest), full-float64(l.burst-1)*interval)
		full = max(full, grant) + interval
		latest = time.Duration(math.Ceil(grant))
		grants[i] = latest
	}
	return grants
}

// idealOnTicks returns the same for a bucket of one token that refills at whole intervals from
// start on, and not one interval after each grant.
func idealOnTicks(l limit, start time.Duration, arrivals []time.Duration) []time.Duration {
	interval := l.interval()
	grants := make([]time.Duration, len(arrivals))
	used := int64(-1) // the tick whose token is gone; a full bucket has that of the latest tick
	for i, at := range arrivals {
		tick := max(int64((at-start)/interval), used+1)
		grants[i] = max(at, start+time.Duration(tick)*interval)
		used = tick
	}
	return grants
}

// lateness returns how much later than ideal each grant was, in microseconds.
func lateness(l limit, arrivals, grants []time.Duration) []float64 {
	order := byTime(arrivals)
	sorted := make([]time.Duration, len(order))
	for i, at := range order {
		sorted[i] = arrivals[at]
	}
	// The k-th grant of any caller is compared with the k-th ideal one.
	inOrder := slices.Sorted(slices.Values(grants))
	late := make([]float64, len(order))
	for k, at := range ideal(l, sorted) {
		late[k] = float64(inOrder[k]-at) / 1e3
	}
	return late
}
