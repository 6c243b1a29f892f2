// Package safetext makes text of users and servers safe for the program and for a terminal.
package safetext

import (
	"fmt"
	"strings"
	"unicode"
)

// Error returns the text of an error, or "" for nil. It survives errors whose methods panic.
func Error(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil { // the panic's value panicked, too
			text = fmt.Sprintf("a %T, whose Error method panicked", err)
		}
	}()
	return fmt.Sprint(err) // survives a panic, unlike err.Error()
}

// Line returns a text on one line. It replaces control characters, because they could drive a
// terminal.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, oneLine.Replace(text))
}

// oneLine replaces line ends, which errors.Join and panics put into a text.
var oneLine = strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", "; ")
