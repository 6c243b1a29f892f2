package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// screen is a terminal with a picture at the end of what is written to it. The cursor is at
// the start of the row below.
type screen struct {
	out     io.Writer
	size    func() (columns, rows int)
	colours bool

	drawn   []line // that stand there
	columns int    // of the terminal when they were drawn
}

// draw shows another picture in the place of the last one, and above it a message: whole lines, or
// nothing. It is a single write, so that nobody sees half a picture.
func (s *screen) draw(message []byte, picture func(columns int) []line) error {
	columns, height := s.size()
	lines := picture(columns)
	lines = lines[:min(len(lines), max(1, height-1))] // what has left the window can't be drawn over
	inPlace := columns == s.columns && len(message) == 0
	if inPlace && slices.EqualFunc(lines, s.drawn, slices.Equal[line]) {
		return nil
	}
	var b strings.Builder
	if up := s.height(columns); up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteByte('\r')
	if !inPlace {
		b.WriteString("\x1b[J") // clears to the end of the screen
	}
	b.Write(message)
	for _, l := range lines {
		text := l.String()
		if s.colours {
			text = l.paint()
		}
		b.WriteString(text + "\x1b[K\n") // clears to the end of the row
	}
	b.WriteString("\x1b[J")
	s.drawn, s.columns = lines, columns
	_, err := io.WriteString(s.out, b.String())
	return err
}

// height is how many rows the picture takes in a terminal that has so many columns now:
// when they become narrower, terminals wrap anew what they show.
func (s *screen) height(columns int) int {
	n := 0
	for _, l := range s.drawn {
		n += rows(l.String(), columns)
	}
	return n
}
