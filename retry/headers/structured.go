package headers

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// This is as much of RFC 9651, Structured Field Values for HTTP, as the RateLimit fields need: lists and
// dictionaries of strings and integers, with parameters of any type. What is not told
// apart is passed over, but has to be well formed: a malformed field is ignored as a whole. The module bench
// fuzzes it against github.com/dunglas/httpsfv, which reads more than we have a use for.

// kind is the type of a bare item.
type kind uint8

const (
	absent kind = iota
	integer
	str
	binary
	other // a decimal, token, boolean, date or display string: none of them means anything to us
)

// bare is a bare item: a value without parameters.
type bare struct {
	kind kind
	n    int64  // of an integer
	text string // of a string; of a binary, its base64
}

// fields are values by the names that mean something to us: the parameters of an item, or the
// members of a dictionary. Of two with one name, the later counts.
type fields struct {
	q, w, r, t, qu, pk      bare // of draft 8's items
	limit, remaining, reset bare // of draft 7's dictionary
}

func (f *fields) set(name string, v bare) {
	switch name {
	case "q":
		f.q = v
	case "w":
		f.w = v
	case "r":
		f.r = v
	case "t":
		f.t = v
	case "qu":
		f.qu = v
	case "pk":
		f.pk = v
	case "limit":
		f.limit = v
	case "remaining":
		f.remaining = v
	case "reset":
		f.reset = v
	}
}

// item is a member of a list.
type item struct {
	bare
	params fields
}

// list reads a List without inner lists, up to maxBudgets long.
func list(text string) (items []item, ok bool) {
	s := scanner{strings.TrimLeft(text, " ")}
	for s.left != "" {
		var it item
		if len(items) == maxBudgets || !s.bare(&it.bare) || !s.params(&it.params) {
			return nil, false
		}
		items = append(items, it)
		if !s.next() {
			return nil, false
		}
	}
	return items, true
}

// dictionary reads a Dictionary without inner lists. The parameters of its members mean nothing to us.
func dictionary(text string) (f fields, ok bool) {
	s := scanner{strings.TrimLeft(text, " ")}
	for s.left != "" {
		name, v, ok := s.pair()
		if !ok || !s.params(&fields{}) || !s.next() {
			return fields{}, false
		}
		f.set(name, v)
	}
	return f, true
}

// scanner takes off what it reads, and says whether it was there.
type scanner struct{ left string }

func (s *scanner) take(c byte) bool {
	if s.left == "" || s.left[0] != c {
		return false
	}
	s.left = s.left[1:]
	return true
}

// while takes all the bytes that are of that sort.
func (s *scanner) while(sort func(byte) bool) (taken string) {
	i := 0
	for i < len(s.left) && sort(s.left[i]) {
		i++
	}
	taken, s.left = s.left[:i], s.left[i:]
	return taken
}

// next takes a comma if it is followed by another member; the end is fine, too.
func (s *scanner) next() bool {
	s.left = strings.TrimLeft(s.left, " \t")
	if s.left == "" {
		return true
	}
	if !s.take(',') {
		return false
	}
	s.left = strings.TrimLeft(s.left, " \t")
	return s.left != ""
}

func (s *scanner) params(f *fields) bool {
	for s.take(';') {
		s.left = strings.TrimLeft(s.left, " ")
		name, v, ok := s.pair()
		if !ok {
			return false
		}
		f.set(name, v)
	}
	return true
}

// pair reads a key and its value; without one, that is true.
func (s *scanner) pair() (name string, v bare, ok bool) {
	if s.left == "" || s.left[0] != '*' && !isLower(s.left[0]) {
		return "", v, false
	}
	name = s.while(isKey)
	if !s.take('=') {
		return name, bare{kind: other}, true
	}
	return name, v, s.bare(&v)
}

// bare reads a bare item of any type.
func (s *scanner) bare(v *bare) bool {
	if s.left == "" {
		return false
	}
	switch c := s.left[0]; {
	case c == '"':
		s.take(c)
		v.kind = str
		return s.str(&v.text)
	case c == '-' || isDigit(c):
		return s.number(v)
	case c == '*' || isAlpha(c):
		s.while(isToken)
		v.kind = other
		return true
	case c == ':':
		s.take(c)
		v.kind, v.text = binary, s.while(isBase64)
		return s.take(':')
	case c == '?':
		s.take(c)
		v.kind = other
		return s.take('0') || s.take('1')
	case c == '@':
		s.take(c)
		ok := s.number(v) && v.kind == integer
		v.kind = other
		return ok
	case c == '%':
		s.take(c)
		v.kind = other
		return s.take('"') && s.display()
	}
	return false
}

// number reads an integer of up to 15 digits, or a decimal with up to 12 and 3.
func (s *scanner) number(v *bare) bool {
	sign := int64(1)
	if s.take('-') {
		sign = -1
	}
	whole := s.while(isDigit)
	if !s.take('.') {
		n, err := strconv.ParseInt(whole, 10, 64)
		v.kind, v.n = integer, sign*n
		return err == nil && len(whole) <= 15
	}
	part := s.while(isDigit)
	v.kind = other
	return 1 <= len(whole) && len(whole) <= 12 && 1 <= len(part) && len(part) <= 3
}

// str reads the rest of a string. It is copied only if something in it is escaped.
func (s *scanner) str(text *string) bool {
	for i := 0; i < len(s.left); i++ {
		switch c := s.left[i]; {
		case c == '"':
			*text, s.left = unescape(s.left[:i]), s.left[i+1:]
			return true
		case c == '\\':
			i++
			if i == len(s.left) || s.left[i] != '"' && s.left[i] != '\\' {
				return false
			}
		case c < ' ' || c > '~':
			return false
		}
	}
	return false
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// display reads the rest of a display string, whose bytes beyond ASCII are written as %c3.
func (s *scanner) display() bool {
	text, rest, ok := strings.Cut(s.left, `"`)
	s.left = rest
	var decoded []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c < ' ' || c > '~' {
			return false
		}
		if c == '%' {
			if i+2 >= len(text) || !isLowerHex(text[i+1]) || !isLowerHex(text[i+2]) {
				return false
			}
			n, _ := strconv.ParseUint(text[i+1:i+3], 16, 8)
			c, i = byte(n), i+2
		}
		decoded = append(decoded, c)
	}
	return ok && utf8.Valid(decoded)
}

func isLower(c byte) bool    { return 'a' <= c && c <= 'z' }
func isAlpha(c byte) bool    { return isLower(c) || 'A' <= c && c <= 'Z' }
func isLowerHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' }
func isKey(c byte) bool      { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }
func isBase64(c byte) bool   { return isAlpha(c) || isDigit(c) || strings.IndexByte("+/=", c) >= 0 }
func isToken(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
