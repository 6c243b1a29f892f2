package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// screen is a terminal with a picture at the end of what is written to it. The cursor is at the
// start of the row below.
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
	b.WriteByte('\r')
	if up := s.height(columns); !inPlace {
		// Row by row: tmux takes note of a screen that is cleared as a whole, in its scrollback.
		b.WriteString(strings.Repeat("\x1b[A\x1b[2K", up))
	} else if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.Write(message)
	b.WriteString("\x1b[?7l") // see height
	for _, l := range lines {
		text := l.String()
		if s.colours {
			text = l.paint()
		}
		b.WriteString(text + "\x1b[K\n") // clears to the end of the row
	}
	b.WriteString("\x1b[?7h\x1b[J") // clears what a higher one has left
	s.drawn, s.columns = lines, columns
	_, err := io.WriteString(s.out, b.String())
	return err
}

// height is how many rows the picture takes in a terminal that has so many columns now: when they
// become narrower, terminals wrap anew what they show.
//
// Some tell their new width a while after that: tmux up to a quarter of a second, others as long
// as a network takes. The first picture that is drawn meanwhile covers too few rows, and leaves
// the first ones of the last. Those that follow don't, because nothing that is too wide is wrapped
// while a picture is drawn; and when the width is known, this is too many by as many rows as were
// left, and they go.
func (s *screen) height(columns int) int {
	n := 0
	for _, l := range s.drawn {
		n += rows(l.String(), columns)
	}
	return n
}
