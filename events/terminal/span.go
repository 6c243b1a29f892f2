package terminal

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// span is a text in one colour. Its text has no control characters.
type span struct {
	text   string
	colour string // as SGR, the escape sequence, has it; "" for none
}

// The colours.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// line is what stands on one.
type line []span

// String is the line without colours.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

func (l line) width() int { return displaywidth.String(l.String()) }

// paint is the line with its colours.
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

// cut is as much of the line as fits.
func (l line) cut(width int, tail string) line {
	if l.width() <= width {
		return l
	}
	if displaywidth.String(tail) >= width {
		tail = ""
	}
	return line{{displaywidth.TruncateString(l.String(), width, tail), l[0].colour}}
}

// flow puts items on lines, as many on each as fit with a separator between them.
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

// rows is how many rows of so many columns a text takes when a terminal wraps it.
func rows(text string, columns int) int {
	n, column := 1, 0
	for all := displaywidth.StringGraphemes(text); all.Next(); {
		w := all.Width()
		if column+w > columns { // a wide one goes to the next row as a whole
			n, column = n+1, 0
		}
		column += w
	}
	return n
}
