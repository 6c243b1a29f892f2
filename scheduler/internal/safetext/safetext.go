// Package safetext makes texts of errors and names safe to show. It is also in events/internal, which only
// packages below events may import.
package safetext

import (
	"fmt"
	"strings"
	"unicode"
)

// Of returns the text of an error; "" for nil. It also handles errors whose methods panic.
func Of(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil { // the value of the panic panicked, too
			text = fmt.Sprintf("a %T, whose Error method panicked", err)
		}
	}()
	return fmt.Sprint(err) // survives a panic, unlike err.Error()
}

// Line returns a text on one line. It replaces control characters, by which a server's text could drive a
// terminal.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, oneLine.Replace(text))
}

// oneLine replaces the line ends of errors.Join and of a panic's value.
var oneLine = strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", "; ")
