package journal

import (
	"bytes"
	"cmp"
	"slices"
)

// mayMiss reports whether the value of a call may have been below a damaged page of a bucket.
func (s *survey) mayMiss(bucket []byte, number uint64) bool {
	gaps, key := s.gapsIn(bucket), keyOf(number)
	after, _ := slices.BinarySearchFunc(gaps, key, func(r keyRange, key []byte) int {
		return cmp.Or(bytes.Compare(r.low, key), -1)
	})
	return after > 0 && gaps[after-1].has(key)
}

// gapsIn returns the keys of a bucket that may be missing. It must not be called before the survey is done.
func (s *survey) gapsIn(bucket []byte) []keyRange {
	gaps, is := s.gaps[string(bucket)]
	if is {
		return gaps
	}
	if s.gaps == nil {
		s.gaps = map[string][]keyRange{}
	}
	gaps = gapsOf(s.faults, string(bucket))
	s.gaps[string(bucket)] = gaps
	return gaps
}

// gapsOf returns the keys of the faults in a bucket, as ranges in order that do not overlap. There may be as many faults as
// calls, so to look through all of them for each call would take too long.
func gapsOf(faults []fault, bucket string) []keyRange {
	var all, gaps []keyRange
	for _, f := range faults {
		if f.bucket == bucket {
			all = append(all, f.keys)
		}
	}
	slices.SortFunc(all, func(a, b keyRange) int { return bytes.Compare(a.low, b.low) })
	for _, r := range all {
		if len(gaps) == 0 {
			gaps = append(gaps, r)
			continue
		}
		last := &gaps[len(gaps)-1]
		switch {
		case last.high == nil:
			return gaps
		case bytes.Compare(r.low, last.high) > 0:
			gaps = append(gaps, r)
		case r.high == nil || bytes.Compare(r.high, last.high) > 0:
			last.high = r.high
		}
	}
	return gaps
}
