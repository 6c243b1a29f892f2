package scheduler

import (
	"fmt"
	"strings"
	"unicode"
)

// errText is the text of an error, also of one whose methods panic; "" for nil.
func errText(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil { // and so did what it panicked with
			text = fmt.Sprintf("a %T, whose Error method panicked", err)
		}
	}()
	return fmt.Sprint(err) // survives a panic, unlike err.Error()
}

// line is a text on one line, without the control characters by which what a server says could drive a terminal.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, oneLine.Replace(text))
}

// oneLine joins what errors.Join, or a panic's value, spreads over lines.
var oneLine = strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", "; ")
