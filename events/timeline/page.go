package timeline

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"example.com/fairlead/events"
)

//go:embed colours.css
var colours string

//go:embed page.css
var style string

//go:embed page.js
var script string

// WriteHTML writes the timeline as a single page. The page needs no network, and its content
// security policy forbids any. It follows the reader's light or dark theme and works with a
// keyboard. Without scripts, only zooming and moving from call to call are missing.
func (t *Timeline) WriteHTML(w io.Writer) error {
	p := t.draw()
	h := page{bufio.NewWriter(w), p}
	h.head()
	h.legend()
	h.put(`<div class="picture">` + "\n")
	h.leftColumn()
	h.put(`<div id="view" role="region" aria-label="timeline" tabindex="0"><div id="wide">` + "\n")
	h.curves()
	h.axis()
	h.rows()
	h.put("</div></div></div>\n")
	h.put(`<p id="told" class="told" role="status">Choose a call to read about it.</p>` + "\n")
	h.put("</main>\n<script>\n" + script + "</script>\n</body></html>\n")
	return h.b.Flush()
}

const (
	pageWidth   = 10000 // of the pictures, in their own units; the page stretches them
	minWidth    = 0.01  // of a span, so that one of no length has a visible edge
	rowHeight   = 16
	panelHeight = 64
	ticks       = 8
)

type page struct {
	b *bufio.Writer // keeps the first error, and Flush returns it
	picture
}

// put writes markup as it is, putf formats markup, and putText escapes text from outside.
func (h page) put(markup string) { _, _ = h.b.WriteString(markup) }

func (h page) putf(format string, a ...any) { fmt.Fprintf(h.b, format, a...) }

func (h page) putText(s string) { h.put(html.EscapeString(s)) }

func (h page) head() {
	h.put(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width"/>
<title>Timeline of ` + count(h.ended(), "call") + "</title>\n<style>\n" + colours + style + "</style></head>\n<body><main>\n<h1>Timeline</h1>\n<p>")
	h.putText(h.summary())
	h.put("</p>\n" + `<p class="note">It begins at ` + h.start.UTC().Format("2006-01-02 15:04:05.000") + " UTC.</p>\n")
}

func (h page) legend() {
	h.put(`<p>On what a call spends its time:`)
	for _, p := range h.legendParts() {
		h.putf(`<span class="key %s"></span>%s`, partNames[p], partNames[p])
		if p == run {
			h.put(` <span class="key run bad"></span>run that failed`)
		}
	}
	if h.groups != nil {
		h.put(` <span class="note">(turn: the part of queue in which only calls of other keys were ahead)</span>`)
	}
	h.put("</p>\n" + `<p><button type="button" data-key="+" aria-label="zoom in">+</button>` +
		`<button type="button" data-key="-" aria-label="zoom out">−</button>` +
		`<button type="button" data-key="0">all</button><button type="button" data-key="f">next failure</button>` +
		`<span class="note">Keys: + − 0 zoom, f next failure; in the calls: ↑ ↓ Page Home End from call to call, ← → along.</span></p>` + "\n")
}

// leftColumn writes the labels at the left, which stay in place when the picture is scrolled.
func (h page) leftColumn() {
	low, high := h.level()
	h.putf(`<div class="scale"><div class="of">tokens<br/>%d to %d</div><div class="of">calls waiting<br/>up to %d</div><div class="axis"></div>`+
		`<div class="names" aria-hidden="true">`+"\n", low, high, h.peak)
	for _, r := range h.picture.rows() {
		switch c := r.call; {
		case c == nil:
			h.put(`<div style="font-weight:600">`)
			h.putText(h.title(r.group))
		case c.bad():
			h.put(`<div class="bad">✗ `)
			h.putText(c.label())
		default:
			h.put(`<div>`)
			h.putText(c.label())
		}
		h.put("</div>\n")
	}
	h.put("</div></div>\n")
}

// bad reports whether the call ended in another way than by success.
func (c call) bad() bool { return c.outcome != 0 && c.outcome != events.Succeeded }

// level returns the lowest and highest number of tokens. The lowest is at most 0.
func (p picture) level() (low, high int64) {
	for _, q := range p.points {
		low, high = min(low, q.tokens), max(high, q.tokens)
	}
	return low, high
}

// x returns the horizontal position of an instant.
func (h page) x(at time.Duration) float64 {
	return pageWidth * float64(at) / float64(max(h.length, 1))
}

func (h page) curves() {
	low, high := h.level()
	h.panel("tokens", float64(low), float64(high), func(q point) float64 { return float64(q.tokens) })
	h.panel("calls waiting", 0, float64(h.peak), func(q point) float64 { return float64(q.waiting) })
}

func (h page) panel(name string, low, high float64, of func(point) float64) {
	h.put(`<div class="panel">`)
	h.svg(panelHeight, `role="img" aria-label="`+name+`, over time"`)
	y := func(v float64) float64 { return panelHeight - 3 - (panelHeight-6)*(v-low)/max(high-low, 1) }
	for i, q := range h.points {
		if i == 0 {
			h.putf(`<path class="curve" d="M%.1f %.1f`, h.x(q.at), y(of(q)))
		} else {
			h.putf(`H%.1fV%.1f`, h.x(q.at), y(of(q)))
		}
	}
	if len(h.points) > 0 {
		h.putf(`H%d"/>`, pageWidth)
	}
	h.put("</svg></div>\n")
}

// svg begins a picture that is stretched across the page, with holds, pauses and grid lines.
func (h page) svg(height int, attributes string) {
	h.putf(`<svg viewBox="0 0 %d %d" preserveAspectRatio="none" height="%d" %s>`+"\n", pageWidth, height, height, attributes)
	for _, s := range append(h.holds[:len(h.holds):len(h.holds)], h.pauses...) {
		h.putf(`<rect class="break" x="%.1f" y="0" width="%.1f" height="%d"/>`, h.x(s.from), h.x(s.length()), height)
	}
	step := roundStep(h.length / ticks)
	for at := step; at < h.length && at > 0; at += step {
		h.putf(`<path class="tick" d="M%.1f 0V%d"/>`, h.x(at), height)
	}
	h.put("\n")
}

func (h page) axis() {
	h.put(`<div class="axis" aria-hidden="true">`)
	step := roundStep(h.length / ticks)
	for at := time.Duration(0); at <= h.length-step/2; at += step {
		h.putf(`<span style="left:%.3f%%">%s</span>`, h.x(at)*100/pageWidth, label(at))
	}
	h.put("</div>\n")
}

// steps are possible distances between labels on the time axis, in seconds.
var steps = []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 6 * 3600, 12 * 3600, 24 * 3600}

// roundStep returns the smallest round step of the time axis that is at least d.
func roundStep(d time.Duration) time.Duration {
	for unit := time.Nanosecond; unit < time.Second; unit *= 10 {
		for _, n := range steps[:3] {
			if n*unit >= d {
				return n * unit
			}
		}
	}
	for _, n := range steps {
		if n*time.Second >= d {
			return n * time.Second
		}
	}
	step := 24 * time.Hour
	for step < d {
		step *= 2
	}
	return step
}

// label formats an instant without parts that are zero, such as 5m or 1h30m.
func label(at time.Duration) string {
	s := at.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func (h page) rows() {
	rows := h.picture.rows()
	h.svg(max(rowHeight*len(rows), 1), `role="list" aria-label="`+count(len(h.calls), "call")+`"`)
	for i, r := range rows {
		if r.call == nil {
			h.heading(i, r.group)
		} else {
			h.row(i, *r.call)
		}
	}
	h.put("</svg>\n")
}

// heading writes what is above the calls of a group, and behind them the holds of its key.
func (h page) heading(i int, g *group) {
	for _, s := range g.holds {
		h.putf(`<rect class="break" x="%.1f" y="%d" width="%.1f" height="%d"/>`, h.x(s.from), i*rowHeight, h.x(s.length()), (1+len(g.calls))*rowHeight)
	}
	h.begin(i, "call", h.describe(g))
	h.put("</g>\n")
}

// begin begins a row that can be chosen.
func (h page) begin(i int, class, title string) {
	reached := "-1"
	if i == 0 {
		reached = "0"
	}
	h.putf(`<g class="%s" role="listitem" tabindex="%s"><title>`, class, reached)
	h.putText(title)
	h.putf(`</title><rect class="row" x="0" y="%d" width="%d" height="%d"/>`, i*rowHeight, pageWidth, rowHeight)
}

func (h page) row(i int, c call) {
	class, y := "call", i*rowHeight
	if c.bad() {
		class = "call bad"
	}
	h.begin(i, class, c.String())
	for _, s := range c.spans {
		class := "span " + partNames[s.part]
		if s.err != "" {
			class += " bad"
		}
		h.putf(`<rect class="%s" x="%.2f" y="%d" width="%.2f" height="%d"/>`, class, h.x(s.from), y+3, max(h.x(s.length()), minWidth), rowHeight-6)
	}
	h.put("</g>\n")
}
