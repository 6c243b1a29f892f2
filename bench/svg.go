package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// style is for both kinds of charts. A reader's preference for dark is heeded also where
// the chart is shown as an image.
const style = `<style>
.back{fill:#fff}
text{font:12px system-ui,sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}
.note{fill:#59636e}
.grid{stroke:#d8dee4;stroke-width:1}
.ours{fill:#0969da;stroke:#0969da}
.ours.second{fill:#7db3ee;stroke:#7db3ee}
.peer{fill:#818b98;stroke:#818b98}
.peer.second{fill:#c3cad2;stroke:#c3cad2}
.bold{font-weight:600}
.line{fill:none;stroke-width:1.6}
.line.ours{fill:none;stroke-width:2.8}
.dot{stroke:none}
@media (prefers-color-scheme:dark){
.back{fill:#0d1117}
text{fill:#e6edf3}
.note{fill:#9198a1}
.grid{stroke:#2a313c}
.ours{fill:#4493f8;stroke:#4493f8}
.ours.second{fill:#2a568c;stroke:#2a568c}
.peer{fill:#8b949e;stroke:#8b949e}
.peer.second{fill:#4d555f;stroke:#4d555f}
.line,.line.ours{fill:none}
}
</style>
`

const chartWidth = 760

// bar is a contestant and its value in each series.
type bar struct {
	name   string
	ours   bool
	values []float64
}

// barChart compares contestants on a logarithmic scale; a value of nothing has no bar.
type barChart struct {
	title, note string
	unit        string
	series      []string // names of one or two
	bars        []bar
}

func text(b *strings.Builder, x, y float64, class, anchor, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(s))
}

func open(b *strings.Builder, height float64, title, note string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f" role="img" aria-label="%s">`+"\n",
		chartWidth, height, chartWidth, height, html.EscapeString(title))
	b.WriteString(style)
	fmt.Fprintf(b, `<rect class="back" width="%d" height="%.0f"/>`+"\n", chartWidth, height)
	text(b, 16, 26, "title", "start", title)
	text(b, 16, 46, "note", "start", note)
}

// decades returns the powers of ten around the positive values.
func decades(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 0) { // a NaN is not above 0 either
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return 1, 10
	}
	low, high = math.Pow10(int(math.Floor(math.Log10(low)))), math.Pow10(int(math.Ceil(math.Log10(high))))
	if low == high {
		high *= 10
	}
	return low, high
}

// along returns where a value lies between two powers of ten, from 0 to 1.
func along(v, low, high float64) float64 {
	return (math.Log10(v) - math.Log10(low)) / (math.Log10(high) - math.Log10(low))
}

func (c barChart) svg() string {
	const left, right, top, thick, gap = 210.0, 90.0, 84.0, 13.0, 9.0
	each := thick*float64(len(c.series)) + gap
	bottom := top + each*float64(len(c.bars))
	width := chartWidth - left - right
	var all []float64
	for _, bar := range c.bars {
		all = append(all, bar.values...)
	}
	low, high := decades(all)
	low /= 10 // so that the least of them has a bar

	b := new(strings.Builder)
	open(b, bottom+34, c.title, c.note)
	c.key(b)
	for v := low * 10; v <= high*1.001; v *= 10 {
		x := left + width*along(v, low, high)
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fV%.1f"/>`+"\n", x, top-6, bottom)
		text(b, x, bottom+18, "note", "middle", number(v)+" "+c.unit)
	}
	for i, bar := range c.bars {
		y := top + each*float64(i)
		class := "peer"
		if bar.ours {
			class = "ours"
		}
		label := ""
		if bar.ours {
			label = "bold"
		}
		text(b, left-10, y+thick*float64(len(c.series))/2+4, label, "end", bar.name)
		for k, v := range bar.values {
			at, length := y+thick*float64(k), 0.0
			if v > 0 && !math.IsInf(v, 0) {
				length = max(1, width*along(v, low, high))
			}
			fmt.Fprintf(b, `<rect class="%s" stroke="none" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n",
				class+[]string{"", " second"}[k], left, at+1, length, thick-2)
			text(b, left+length+6, at+thick-3, label, "start", number(v))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// key says which series is which, if there are two.
func (c barChart) key(b *strings.Builder) {
	if len(c.series) < 2 {
		return
	}
	x := 16.0
	for k, name := range c.series {
		for _, class := range []string{"ours", "peer"} {
			fmt.Fprintf(b, `<rect class="%s" stroke="none" x="%.1f" y="58" width="11" height="11"/>`+"\n", class+[]string{"", " second"}[k], x)
			x += 13
		}
		text(b, x+4, 68, "", "start", name)
		x += 30 + 7*float64(len(name))
	}
}

// line is how a contestant's value changes with the size of a crowd.
type line struct {
	name   string
	ours   bool
	values []float64 // for each of the sizes; NaN where it took no part
}

// lineChart has two logarithmic scales.
type lineChart struct {
	title, note string
	unit        string
	sizes       []int
	lines       []line
}

func (c lineChart) svg() string {
	const left, right, top, height = 76.0, 150.0, 70.0, 300.0
	bottom, width := top+height, chartWidth-left-right
	var all []float64
	for _, l := range c.lines {
		all = append(all, l.values...)
	}
	low, high := decades(all)
	y := func(v float64) float64 { return bottom - height*along(v, low, high) }
	x := func(n int) float64 {
		return left + width*along(float64(n), float64(c.sizes[0]), float64(c.sizes[len(c.sizes)-1]))
	}
	b := new(strings.Builder)
	open(b, bottom+44, c.title, c.note)
	for v := low; v <= high*1.001; v *= 10 {
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fH%.1f"/>`+"\n", left, y(v), left+width)
		text(b, left-8, y(v)+4, "note", "end", number(v)+" "+c.unit)
	}
	for _, n := range c.sizes {
		text(b, x(n), bottom+20, "note", "middle", number(float64(n)))
	}
	text(b, left+width/2, bottom+37, "note", "middle", "waiting at once")

	var labels []lineEnd
	for _, l := range c.lines {
		class, path, last := "peer", "", lineEnd{line: l}
		if l.ours {
			class = "ours"
		}
		for i, v := range l.values {
			if !(v > 0) {
				continue
			}
			last.x, last.y = x(c.sizes[i]), y(v)
			path += fmt.Sprintf("%s%.1f %.1f", []string{"L", "M"}[min(1, max(0, 1-len(path)))], last.x, last.y)
			fmt.Fprintf(b, `<circle class="%s dot" cx="%.1f" cy="%.1f" r="3"/>`+"\n", class, last.x, last.y)
		}
		if path != "" {
			fmt.Fprintf(b, `<path class="line %s" d="%s"/>`+"\n", class, path)
			labels = append(labels, last)
		}
	}
	label(b, labels)
	b.WriteString("</svg>\n")
	return b.String()
}

// lineEnd is where a line ends, and its name is to stand.
type lineEnd struct {
	x, y float64
	line line
}

// label writes the names of lines where they end, unless that is taken by another.
func label(b *strings.Builder, ends []lineEnd) {
	slices.SortFunc(ends, func(a, b lineEnd) int { return cmp.Compare(a.y, b.y) })
	taken := map[float64]float64{}
	for _, at := range ends {
		place := at.y + 4
		if lowest, ok := taken[at.x]; ok {
			place = max(place, lowest+14)
		}
		taken[at.x] = place
		class := "note"
		if at.line.ours {
			class = "bold"
		}
		text(b, at.x+8, place, class, "start", at.line.name)
	}
}
