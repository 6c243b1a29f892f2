package safetext

import (
	"errors"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// TestLine checks that of the characters that a terminal obeys only the tab is left, and that joined errors are on one line.
func TestLine(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		obeyed := r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x61c || r == 0x200e || r == 0x200f ||
			r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		if text := string(r); obeyed == (Line(text) == text) {
			require.Failf(t, "Line", "%U: %q", r, Line(text))
		}
	}
	require.Equal(t, "a; b; c", Line(errors.Join(errors.New("a\r\nb"), errors.New("c")).Error()))
	require.Equal(t, "a\ufffdb", Line("a\x1bb"))
}

func TestErrorOfNil(t *testing.T) { require.Empty(t, Error(nil)) }
