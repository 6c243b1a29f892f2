package forecast

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/fairlead/scheduler/internal/safetext"
)

// WriteSVG draws the forecast over time: tokens, calls by state, and attempts and ended calls.
// The picture needs no network and follows a reader's preference for light or dark.
func (f Forecast) WriteSVG(w io.Writer) error {
	c := &chart{end: max(f.Took, 1)}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		chartWidth, chartHeight, chartWidth, chartHeight, html.EscapeString(f.String()))
	c.b.WriteString(chartStyle)
	fmt.Fprintf(&c.b, `<rect class="back" width="%d" height="%d"/>`+"\n", chartWidth, chartHeight)
	c.text(16, 26, "title", "start", "Forecast: "+f.limits())
	what, how, _ := strings.Cut(f.String(), "; half")
	c.text(16, 46, "note", "start", what)
	c.text(16, 62, "note", "start", "half"+how)
	c.panel(f.Samples, "tokens, % of what the budget holds", f.levels()...)
	c.panel(f.Samples, "calls that",
		curve{"wait", "a", func(s Sample) float64 { return float64(s.Queued) }})
	c.panel(f.Samples, "calls that",
		curve{"run", "a", func(s Sample) float64 { return float64(s.Running) }},
		curve{"back off", "b", func(s Sample) float64 { return float64(s.BackingOff) }})
	c.panel(f.Samples, "so far",
		curve{"attempts", "b", func(s Sample) float64 { return float64(s.Attempts) }},
		curve{"calls over", "a", func(s Sample) float64 { return float64(s.Ended) }})
	c.axis()
	c.b.WriteString("</svg>\n")
	_, err := w.Write(c.b.Bytes())
	return err
}

const (
	chartWidth, chartHeight  = 760, 590
	chartLeft, chartRight    = 76, 24
	chartTop, panelHeight    = 90, 96
	panelGap                 = 24
	chartInner               = chartWidth - chartLeft - chartRight
	chartBottom              = chartTop + 4*panelHeight + 3*panelGap
	ticksAlong, ticksUpwards = 6, 3
)

const chartStyle = `<style>
.back{fill:#fff}
text{font:12px system-ui,sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}
.note{fill:#59636e}
.grid{stroke:#d8dee4}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.a{stroke:#0969da}.b{stroke:#bc4c00}.c{stroke:#1a7f37}
text.a{fill:#0969da}text.b{fill:#bc4c00}text.c{fill:#1a7f37}
text.a,text.b,text.c{stroke:none}
@media (prefers-color-scheme:dark){
.back{fill:#0d1117}
text{fill:#e6edf3}
.note{fill:#9198a1}
.grid{stroke:#2a313c}
.a{stroke:#4493f8}.b{stroke:#f0883e}.c{stroke:#3fb950}
text.a{fill:#4493f8}text.b{fill:#f0883e}text.c{fill:#3fb950}
}
</style>
`

// levels returns the curves of the budgets.
func (f Forecast) levels() (all []curve) {
	for i, name := range slices.Sorted(maps.Keys(f.Limits)) {
		class, capacity := []string{"a", "b", "c"}[i%3], float64(f.Limits[name].Capacity)
		all = append(all, curve{name, class, func(s Sample) float64 { return 100 * float64(s.Available[i]) / capacity }})
	}
	return all
}

// chart draws panels one above the other, over the same time.
type chart struct {
	b      bytes.Buffer
	end    time.Duration
	panels int
}

// curve is a value over time.
type curve struct {
	name, class string
	of          func(Sample) float64
}

func (c *chart) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(safetext.Line(s)))
}

func (c *chart) x(at time.Duration) float64 {
	return chartLeft + chartInner*float64(at)/float64(c.end)
}

func (c *chart) panel(samples []Sample, title string, curves ...curve) {
	top := float64(chartTop + c.panels*(panelHeight+panelGap))
	bottom := top + panelHeight
	c.panels++
	most := 0.0
	for _, cv := range curves {
		for _, s := range samples {
			most = max(most, cv.of(s))
		}
	}
	step := roundStep(most / ticksUpwards)
	y := func(v float64) float64 { return bottom - (panelHeight-10)*v/max(most, step) }
	for v := 0.0; v <= max(most, step); v += step {
		fmt.Fprintf(&c.b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", chartLeft, y(v), chartLeft+chartInner)
		c.text(chartLeft-8, y(v)+4, "note", "end", short(v))
	}
	x := float64(chartLeft)
	c.text(x, top-4, "note", "start", title)
	x += 8 + 6.5*float64(len(title))
	for _, cv := range curves {
		c.text(x, top-4, cv.class, "start", cv.name)
		x += 12 + 6.5*float64(len(cv.name))
		fmt.Fprintf(&c.b, `<path class="line %s" d="`, cv.class)
		to := 'M'
		for _, s := range samples {
			fmt.Fprintf(&c.b, "%c%.1f %.1f", to, c.x(s.At), y(cv.of(s)))
			to = 'L'
		}
		c.b.WriteString(`"/>` + "\n")
	}
}

// axis draws the time below the panels.
func (c *chart) axis() {
	step := time.Duration(roundTime(float64(c.end) / ticksAlong))
	for at := time.Duration(0); at <= c.end; at += step {
		fmt.Fprintf(&c.b, `<path class="grid" d="M%.1f %dv5"/>`+"\n", c.x(at), chartBottom)
		c.text(c.x(at), chartBottom+20, "note", "middle", shortTime(at))
		if at > c.end-step {
			break // the sum might overflow
		}
	}
}

// roundStep returns the first of 1, 2, 5, 10, 20 and so on that is not below v.
func roundStep(v float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(max(v, 1))))
	for _, n := range []float64{1, 2, 5} {
		if n*step >= v {
			return n * step
		}
	}
	return 10 * step
}

// roundTime returns the smallest round step for a time axis that is not below v, both in nanoseconds.
func roundTime(v float64) float64 {
	for _, unit := range []struct {
		of    time.Duration
		steps []float64
	}{
		{time.Second, []float64{1, 2, 5, 10, 15, 30}},
		{time.Minute, []float64{1, 2, 5, 10, 15, 30}},
		{time.Hour, []float64{1, 2, 3, 6, 12}},
	} {
		if v <= float64(time.Second) {
			return roundStep(v)
		}
		for _, n := range unit.steps {
			if n*float64(unit.of) >= v {
				return n * float64(unit.of)
			}
		}
	}
	const day = 24 * float64(time.Hour)
	return roundStep(v/day) * day
}

// shortTime returns a duration without parts that are zero, such as 5m or 1h30m.
func shortTime(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// short returns a number for an axis, such as 1.5k for 1500.
func short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of {
			return strconv.FormatFloat(v/unit.of, 'g', 4, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
