package timeline

import (
	"fmt"
	"strings"
	"unicode"
)

// longestText is how much of a name or an error is kept, in characters.
const longestText = 120

// text is a user's string, on one line, of characters that have a picture, and not too long.
// So no name can turn a page's direction, or break what reads it.
func text(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 8*longestText)]), " ")
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longestText {
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
