package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// screen is a terminal with a picture below all that was written to it. The cursor is at the start
// of the row below the picture.
type screen struct {
	out     io.Writer
	size    func() (columns, rows int)
	colours bool

	drawn   []line // the picture that is shown
	columns int    // the terminal's width when it was drawn
}

// draw replaces the picture, and writes a message above it. The message is whole lines or empty. All
// is one write, so that no half picture is shown.
func (s *screen) draw(message []byte, picture func(columns int) []line) error {
	columns, height := s.size()
	lines := picture(columns)
	lines = lines[:min(len(lines), max(1, height-1))] // rows that have left the window can't be drawn over
	inPlace := columns == s.columns && len(message) == 0
	if inPlace && slices.EqualFunc(lines, s.drawn, slices.Equal[line]) {
		return nil
	}
	var b strings.Builder
	b.WriteByte('\r')
	if up := s.height(columns); !inPlace {
		// Row by row, because tmux saves a screen that is cleared as a whole to its scrollback.
		b.WriteString(strings.Repeat("\x1b[A\x1b[2K", up))
	} else if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.Write(message)
	b.WriteString("\x1b[?7l") // turns wrapping off, see height
	for _, l := range lines {
		text := l.String()
		if s.colours {
			text = l.paint()
		}
		b.WriteString(text + "\x1b[K\n") // clears to the end of the row
	}
	b.WriteString("\x1b[?7h\x1b[J") // turns wrapping on, and clears the rest of a higher picture
	s.drawn, s.columns = lines, columns
	_, err := io.WriteString(s.out, b.String())
	return err
}

// height returns how many rows the picture takes in a terminal with that many columns now. Terminals
// wrap what they show when they become narrower.
//
// Some report their new width late, tmux by up to a quarter of a second, others by as long as a
// network takes. The first picture after the change then covers too few rows, and leaves the first
// rows of the last picture. Later ones do not add to these, because they are drawn with wrapping
// off. Once the width is known, height is too large by just these rows, and they are cleared.
func (s *screen) height(columns int) int {
	n := 0
	for _, l := range s.drawn {
		n += rows(l.String(), columns)
	}
	return n
}
