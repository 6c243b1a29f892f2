package timeline

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"time"
)

// WriteSVG writes the timeline as one picture for a document. The calls stand below one another,
// with the tokens and the number of waiting calls above them. The picture needs no network and
// follows the reader's light or dark theme. Each call takes 14 pixels, so for hundreds of calls
// use WriteHTML.
func (t *Timeline) WriteSVG(w io.Writer) error {
	d := drawing{bufio.NewWriter(w), t.draw()}
	d.head()
	low, high := d.level()
	d.panel(sheetTop, fmt.Sprintf("tokens, %d to %d", low, high), float64(low), float64(high), func(q point) float64 { return float64(q.tokens) })
	d.panel(sheetTop+panelStep, fmt.Sprintf("waiting, up to %d", d.peak), 0, float64(d.peak), func(q point) float64 { return float64(q.waiting) })
	for i, r := range d.rows() {
		if y := rowsTop + i*callHeight; r.call == nil {
			d.heading(y, r.group)
		} else {
			d.row(y, *r.call)
		}
	}
	d.legend()
	d.putf("</svg>\n")
	return d.b.Flush()
}

// Positions and sizes in the picture, in pixels.
const (
	sheetWidth = 900
	sheetLeft  = 140
	sheetInner = sheetWidth - sheetLeft - 20
	sheetTop   = 56
	panelStep  = 56
	curveTall  = 44
	axisTop    = sheetTop + 2*panelStep
	rowsTop    = axisTop + 20
	callHeight = 14
)

type drawing struct {
	b *bufio.Writer // keeps the first error, and Flush returns it
	picture
}

func (d drawing) putf(format string, a ...any) { fmt.Fprintf(d.b, format, a...) }

func (d drawing) text(x, y float64, class, anchor, s string) {
	d.putf(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(s))
}

func (d drawing) x(at time.Duration) float64 {
	return sheetLeft + sheetInner*float64(at)/float64(max(d.length, 1))
}

func (d drawing) bottom() int { return rowsTop + (len(d.calls)+len(d.groups))*callHeight }

// head begins the picture and draws the background, holds, pauses and the grid.
func (d drawing) head() {
	height := d.bottom() + 36
	d.putf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		sheetWidth, height, sheetWidth, height, html.EscapeString(d.summary()))
	d.putf("<style>\n%stext{fill:var(--text);font:11px system-ui,sans-serif}.title{font-size:14px;font-weight:600}.note{fill:var(--note)}.wrong{fill:var(--bad)}\n</style>\n", colours)
	d.putf(`<rect width="%d" height="%d" style="fill:var(--back)"/>`+"\n", sheetWidth, height)
	d.text(16, 24, "title", "start", "Timeline")
	d.text(sheetLeft, 24, "note", "start", d.outcomes())
	for _, s := range append(d.holds[:len(d.holds):len(d.holds)], d.pauses...) {
		d.putf(`<rect class="break" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", d.x(s.from), sheetTop, d.x(s.to)-d.x(s.from), d.bottom()-sheetTop)
	}
	step := roundStep(d.length / ticks)
	for at := time.Duration(0); at <= d.length && step > 0; at += step {
		d.putf(`<path class="tick" d="M%.1f %dV%d"/>`+"\n", d.x(at), sheetTop, d.bottom())
		d.text(d.x(at), axisTop+10, "note", "middle", label(at))
	}
}

func (d drawing) panel(top int, name string, low, high float64, of func(point) float64) {
	d.text(sheetLeft-8, float64(top)+12, "note", "end", name)
	d.putf(`<path class="tick" d="M%d %dh%d"/>`+"\n", sheetLeft, top+curveTall, sheetInner)
	y := func(v float64) float64 { return float64(top) + 2 + (curveTall-4)*(1-(v-low)/max(high-low, 1)) }
	for i, q := range d.points {
		if i == 0 {
			d.putf(`<path class="curve" d="M%.1f %.1f`, d.x(q.at), y(of(q)))
		} else {
			d.putf("H%.1fV%.1f", d.x(q.at), y(of(q)))
		}
	}
	if len(d.points) > 0 {
		d.putf(`H%.1f"/>`+"\n", d.x(d.length))
	}
}

// heading draws what is above the calls of a group, and behind them the holds of its key.
func (d drawing) heading(y int, g *group) {
	for _, s := range g.holds {
		d.putf(`<rect class="break" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", d.x(s.from), y, d.x(s.to)-d.x(s.from), (1+len(g.calls))*callHeight)
	}
	d.putf("<g><title>%s</title>\n"+`<text x="%d" y="%.1f" style="font-weight:600" text-anchor="end">%s</text>`+"\n</g>\n",
		html.EscapeString(d.describe(g)), sheetLeft-8, float64(y)+10.5, html.EscapeString(short(d.title(g))))
}

// short returns as much of a name as there is room for.
func short(name string) string {
	if runes := []rune(name); len(runes) > 20 {
		return string(runes[:19]) + "…"
	}
	return name
}

func (d drawing) row(y int, c call) {
	class, name := "note", c.label()
	if c.bad() {
		class, name = "wrong", "✗ "+name
	}
	d.putf("<g><title>%s</title>\n", html.EscapeString(c.String()))
	d.text(sheetLeft-8, float64(y)+10.5, class, "end", short(name))
	for _, s := range c.spans {
		class := "span " + partNames[s.part]
		if s.err != "" {
			class += " bad"
		}
		d.putf(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n", class, d.x(s.from), y+3, max(d.x(s.to)-d.x(s.from), minWidth), callHeight-6)
	}
	d.putf("</g>\n")
}

func (d drawing) legend() {
	x, y := float64(sheetLeft), d.bottom()+14
	key := func(class, name string) {
		d.putf(`<rect class="%s" x="%.1f" y="%d" width="10" height="10"/>`+"\n", class, x, y)
		d.text(x+16, float64(y)+9, "note", "start", name)
		x += 34 + 6*float64(len(name))
	}
	for _, p := range d.legendParts() {
		key(partNames[p], partNames[p])
	}
	key("run bad", "run that failed")
	key("break", "no grants")
}
