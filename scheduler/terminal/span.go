package terminal

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// span is a text in one color. It has no control characters.
type span struct {
	text   string
	colour string // the parameter of the SGR escape sequence; "" for none
}

// The colors.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// line is the text of one line.
type line []span

// String returns the line without colors.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

func (l line) width() int { return displaywidth.String(l.String()) }

// paint returns the line with its colors.
func (l line) paint() string {
	var b strings.Builder
	for _, s := range l {
		if s.colour == "" || s.text == "" {
			b.WriteString(s.text)
		} else {
			b.WriteString("\x1b[" + s.colour + "m" + s.text + "\x1b[m")
		}
	}
	return b.String()
}

// cut returns as much of the line as fits.
func (l line) cut(width int, tail string) line {
	if l.width() <= width {
		return l
	}
	if displaywidth.String(tail) >= width {
		tail = ""
	}
	return line{{displaywidth.TruncateString(l.String(), width, tail), l[0].colour}}
}

// flow puts items on lines, as many on each as fit, with a separator in between.
func flow(items []line, separator, tail string, width int) []line {
	var lines []line
	for _, item := range items {
		item = item.cut(width, tail)
		last := len(lines) - 1
		if last < 0 || lines[last].width()+displaywidth.String(separator)+item.width() > width {
			lines = append(lines, append(line(nil), item...))
			continue
		}
		lines[last] = append(append(lines[last], span{separator, dim}), item...)
	}
	return lines
}

// rows returns how many rows a text takes in a terminal that wraps at that many columns.
func rows(text string, columns int) int {
	n, column := 1, 0
	for all := displaywidth.StringGraphemes(text); all.Next(); {
		w := all.Width()
		if column+w > columns { // a wide character is not split
			n, column = n+1, 0
		}
		column += w
	}
	return n
}
