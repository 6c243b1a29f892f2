package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// noise is the part by which a peer must be better to count as ahead: with less, it is the other
// way round in the next run.
const noise = 0.05

// comparison is a row or a column of the tables, with the cases in which it was measured.
type comparison struct {
	what  string
	unit  string
	ours  string // Fairlead or its Submit
	names []string
	more  bool // more is better
	cases []measured
}

// measured is one case of a comparison. The value is NaN for who was not measured, or is not to be
// compared.
type measured struct {
	name  string
	value func(who string) float64
}

// lead is a case in which a peer is ahead.
type lead struct {
	of           comparison
	name         string
	ours, theirs float64
	peer         string
}

// by returns how many times better the peer is. It is infinite if the peer has none of a number
// that should be small, or if only the peer could be measured.
func (l lead) by() float64 {
	ratio := l.ours / l.theirs
	if l.of.more {
		ratio = l.theirs / l.ours
	}
	if math.IsNaN(ratio) {
		return math.Inf(1)
	}
	return ratio
}

func (l lead) String() string {
	text := fmt.Sprintf("%s beside %s of %s", strings.TrimSpace(number(l.ours)+" "+l.of.unit), number(l.theirs), l.peer)
	if l.name != "" {
		text = l.name + ": " + text
	}
	if by := l.by(); !math.IsInf(by, 0) {
		text += fmt.Sprintf(", %s ×", number(by))
	}
	return text
}

// leads returns the cases in which a peer is ahead of Fairlead, the furthest first.
func (c comparison) leads() []lead {
	var list []lead
	for _, one := range c.cases {
		l := lead{of: c, name: one.name, ours: one.value(c.ours), theirs: math.NaN()}
		for _, who := range c.names {
			if v := one.value(who); !isOurs(who) && !isFloor(who) && !math.IsNaN(v) && !(c.order(v, l.theirs) >= 0) {
				l.peer, l.theirs = who, v
			}
		}
		if l.peer != "" && l.behind() {
			list = append(list, l)
		}
	}
	slices.SortStableFunc(list, func(a, b lead) int { return cmp.Compare(b.by(), a.by()) })
	return list
}

// order returns less than 0 if a is better than b. Anything is better than NaN.
func (c comparison) order(a, b float64) int {
	switch {
	case math.IsNaN(b):
		return -1
	case c.more:
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// behind reports whether the peer is ahead by more than noise.
func (l lead) behind() bool {
	switch {
	case math.IsNaN(l.ours):
		return true
	case l.of.more:
		return l.theirs > l.ours*(1+noise)
	}
	return l.ours > l.theirs*(1+noise)
}

// ahead lists what a peer does better than Fairlead, the furthest ahead first.
func ahead(all []comparison) string {
	var groups [][]lead
	for _, c := range all {
		if list := c.leads(); len(list) > 0 {
			groups = append(groups, list)
		}
	}
	slices.SortStableFunc(groups, func(a, b []lead) int { return cmp.Compare(b[0].by(), a[0].by()) })
	var b strings.Builder
	for _, list := range groups {
		var cases []string
		for _, l := range list {
			cases = append(cases, l.String())
		}
		name := list[0].of.what
		if list[0].of.ours == fairleadSubmit {
			name += ", Submit"
		}
		fmt.Fprintf(&b, "- **%s**: %s\n", name, strings.Join(cases, "; "))
	}
	return b.String()
}
