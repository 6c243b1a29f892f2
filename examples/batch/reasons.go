package main

import (
	"fmt"
	"slices"
	"strings"
)

// reasons counts why lines have failed. Texts with the same beginning are one reason, since their ends may have
// times or ids. It counts a bounded number of reasons apart, and all others together.
type reasons struct {
	count  map[string]int    // by the beginning of the text
	first  map[string]string // the first text with that beginning
	others int
}

// maxReasons bounds how many reasons are counted, and shownReasons how many are shown. Of each text,
// longestReason characters are shown, since advice is often at its end.
const (
	maxReasons    = 1000
	shownReasons  = 5
	longestReason = 300
)

func (r *reasons) add(text string) {
	if r.count == nil {
		r.count, r.first = map[string]int{}, map[string]string{}
	}
	reason := short(text)
	if r.count[reason] == 0 {
		if len(r.count) >= maxReasons {
			r.others++
			return
		}
		r.first[reason] = oneLine(text, longestReason)
	}
	r.count[reason]++
}

// lines returns the most frequent reasons, such as "200 × 401 Unauthorized: no such key".
func (r *reasons) lines() []string {
	var all []string
	for reason := range r.count {
		all = append(all, reason)
	}
	slices.SortFunc(all, func(a, b string) int {
		if r.count[a] != r.count[b] {
			return r.count[b] - r.count[a]
		}
		return strings.Compare(a, b)
	})
	shown := all[:min(len(all), shownReasons)]
	left := r.others
	for _, reason := range all[len(shown):] {
		left += r.count[reason]
	}
	var lines []string
	for _, reason := range shown {
		lines = append(lines, fmt.Sprintf("%d × %s", r.count[reason], r.first[reason]))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("%d for other reasons", left))
	}
	return lines
}
