package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns s with every character that a terminal would obey instead of showing it written as in Go source.
// ESC becomes \x1b, a newline \n, and a right-to-left override \u202e. These characters are the control characters
// (C0, DEL and C1), the line and paragraph separators, those that set a text's direction, and bytes that are not
// UTF-8. All other text stays as it is.
//
// Pass a server's answer or a file's text through Visible before it reaches a terminal. An escape sequence can clear
// the screen, set the window's title or write to the clipboard. A [View] applies Visible to its Title and to all that
// is written to it.
func Visible(s string) string { return visible(s, "") }

// visible does the same as Visible, but leaves the characters in keep as they are.
func visible(s, keep string) string {
	obeyed := func(r rune) bool { return obeys(r) && !strings.ContainsRune(keep, r) }
	if utf8.ValidString(s) && strings.IndexFunc(s, obeyed) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case !obeyed(r):
			b.WriteRune(r)
		default:
			b.WriteString(escaped(r))
		}
		s = s[n:]
	}
	return b.String()
}

// obeys reports whether a terminal acts on r instead of showing it.
func obeys(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

func escaped(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < utf8.RuneSelf {
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// message makes a program's text visible, but keeps line ends and tabs.
func message(p []byte) []byte {
	return []byte(visible(string(bytes.ReplaceAll(p, []byte("\r\n"), []byte("\n"))), "\n\t"))
}

// clean returns a name in a form for the picture.
func clean(name string, ascii bool) string {
	return strings.Map(func(r rune) rune {
		if ascii && r > unicode.MaxASCII || r == unicode.ReplacementChar { // its width differs between terminals
			return '?'
		}
		return r
	}, Visible(name))
}
