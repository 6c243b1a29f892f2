package timeline

import (
	"fmt"
	"strings"
	"unicode"
)

// maxText is how much of a name or an error is kept, in characters.
const maxText = 120

// text returns a user's string on one line, shortened and without unprintable characters, which
// could change the direction of a page's text or break a reader of the trace.
func text(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 8*maxText)]), " ")
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxText {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

func count[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
