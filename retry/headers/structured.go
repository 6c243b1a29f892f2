package headers

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file parses the part of RFC 9651, Structured Field Values for HTTP, that the RateLimit fields need.
// That is lists and dictionaries of strings and integers, with parameters of any type. Other values are
// skipped but must be well formed, because a malformed field is ignored as a whole. The module bench
// fuzzes this parser against github.com/dunglas/httpsfv, which parses all of the RFC.

// kind is the type of a bare item.
type kind uint8

const (
	absent kind = iota
	integer
	str
	binary
	other // a decimal, token, boolean, date or display string, which no RateLimit field uses
)

// bare is a bare item, that is a value without parameters.
type bare struct {
	kind kind
	n    int64  // the value of an integer
	text string // the value of a string, or the base64 of a binary
}

// fields has the values of the names that RateLimit fields use, which are parameters of an item or members
// of a dictionary. If a name occurs twice, the later value counts.
type fields struct {
	q, w, r, t, qu, pk      bare // parameters of draft 8
	limit, remaining, reset bare // members in draft 7
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

// parseList parses a List of up to maxBudgets members, without inner lists.
func parseList(text string) (items []item, ok bool) {
	s := scanner{strings.TrimLeft(text, " ")}
	for s.rest != "" {
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

// parseDictionary parses a Dictionary without inner lists. It drops the parameters of its members.
func parseDictionary(text string) (f fields, ok bool) {
	s := scanner{strings.TrimLeft(text, " ")}
	for s.rest != "" {
		name, v, ok := s.pair()
		if !ok || !s.params(&fields{}) || !s.next() {
			return fields{}, false
		}
		f.set(name, v)
	}
	return f, true
}

// scanner parses a text from the start. Its methods remove what they parse from rest and report whether it
// was there.
type scanner struct{ rest string }

func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// while takes bytes as long as they match.
func (s *scanner) while(match func(byte) bool) (taken string) {
	i := 0
	for i < len(s.rest) && match(s.rest[i]) {
		i++
	}
	taken, s.rest = s.rest[:i], s.rest[i:]
	return taken
}

// next takes the comma before another member. It also accepts the end of the text.
func (s *scanner) next() bool {
	s.rest = strings.TrimLeft(s.rest, " \t")
	if s.rest == "" {
		return true
	}
	if !s.take(',') {
		return false
	}
	s.rest = strings.TrimLeft(s.rest, " \t")
	return s.rest != ""
}

func (s *scanner) params(f *fields) bool {
	for s.take(';') {
		s.rest = strings.TrimLeft(s.rest, " ")
		name, v, ok := s.pair()
		if !ok {
			return false
		}
		f.set(name, v)
	}
	return true
}

// pair parses a key and its value. A key without a value stands for true.
func (s *scanner) pair() (name string, v bare, ok bool) {
	if s.rest == "" || s.rest[0] != '*' && !isLower(s.rest[0]) {
		return "", v, false
	}
	name = s.while(isKey)
	if !s.take('=') {
		return name, bare{kind: other}, true
	}
	return name, v, s.bare(&v)
}

// bare parses a bare item of any type.
func (s *scanner) bare(v *bare) bool {
	if s.rest == "" {
		return false
	}
	switch c := s.rest[0]; {
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

// number parses an integer of up to 15 digits, or a decimal of up to 12 digits before and 3 after the
// point.
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
	frac := s.while(isDigit)
	v.kind = other
	return 1 <= len(whole) && len(whole) <= 12 && 1 <= len(frac) && len(frac) <= 3
}

// str parses the rest of a string. It copies the string only if it has an escaped character.
func (s *scanner) str(text *string) bool {
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			*text, s.rest = unescape(s.rest[:i]), s.rest[i+1:]
			return true
		case c == '\\':
			i++
			if i == len(s.rest) || s.rest[i] != '"' && s.rest[i] != '\\' {
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

// display parses the rest of a display string, whose bytes beyond ASCII are written in the form %c3.
func (s *scanner) display() bool {
	text, rest, ok := strings.Cut(s.rest, `"`)
	s.rest = rest
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
