package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// target is one line of what Fairlead wants to be. Less is better, unless atLeast.
type target struct {
	name    string
	ours    float64
	unit    string
	peer    string // names the best peer; "" if there is none
	theirs  float64
	want    float64
	floor   float64 // the least that ours could be, with no feature at all, as measured; 0 if it was not
	ratio   bool    // the target is for the ratio to the best peer
	atLeast bool
}

func (t target) value() float64 {
	if t.ratio {
		return t.ours / t.theirs
	}
	return t.ours
}

// ok reports whether the target is met. It is false if it was not measured.
func (t target) ok() bool {
	if t.atLeast {
		return t.value() >= t.want
	}
	return t.value() <= t.want
}

// nearFloor is how many times the floor a number may be to count as near it. A floor has no features:
// no cancellation, priority, retries, events or counts.
const nearFloor = 1.5

// atFloor reports whether ours is so near the floor that there is hardly anything to gain.
func (t target) atFloor() bool { return t.floor > 0 && t.ours <= nearFloor*t.floor }

func (t target) verdict() string {
	switch {
	case t.ok():
		return "ok"
	case t.atFloor():
		return "near the floor"
	}
	return "SHORT"
}

// row returns the cells of targetColumns.
func (t target) row() []string {
	ours := strings.TrimSpace(number(t.ours) + " " + t.unit)
	peer, ratio, floor := "", "", ""
	if t.peer != "" {
		peer = strings.TrimSpace(number(t.theirs)+" "+t.unit) + " " + t.peer
		ratio = number(t.ours / t.theirs)
		if t.floor > 0 {
			floor = number(t.floor / t.theirs)
		}
	}
	want := "≤ "
	if t.atLeast {
		want = "≥ "
	}
	want += number(t.want)
	if t.ratio {
		want += " ×"
	} else if t.unit != "" {
		want += " " + t.unit
	}
	return []string{t.name, ours, peer, ratio, floor, want, t.verdict()}
}

var targetColumns = []string{"", "ours", "best peer", "ratio", "floor", "target", ""}

func printTargets(w io.Writer, list []target) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(targetColumns, "\t"))
	short, near := 0, 0
	for _, t := range list {
		fmt.Fprintln(tw, strings.Join(t.row(), "\t"))
		if !t.ok() {
			short++
			if t.atFloor() {
				near++
			}
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d targets met; %d more are near the floor that was measured\n", len(list)-short, len(list), near)
	return err
}

// number returns a value with three significant digits, as people write it.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == 0:
		return "0"
	case math.Abs(v) < 0.001:
		return strconv.FormatFloat(v, 'e', 1, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits > 0 {
		text := strconv.FormatFloat(v, 'f', digits, 64)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	scale := math.Pow10(-digits)
	whole := strconv.FormatInt(int64(math.Round(v/scale)*scale), 10)
	sign := ""
	if whole[0] == '-' {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole
}
