package ratehttp

import "bytes"

// scanner finds the integers in JSON that goes by, and where they stand. It keeps the names that lead there and nothing
// else, however long the JSON is and however it comes in parts. Of what is not JSON it makes what it can.
type scanner struct {
	depth   int    // how many objects and arrays are open
	objects uint64 // a bit for each of the outermost 64: it is an object

	inString  bool
	escaped   bool
	wantsName bool // a string that begins here is a name
	isName    bool // the string is one

	names  [mostDepth]name // the latest name in each of the outermost objects
	number int64
	digits int // of number; tooLong: it is none that we want
}

const (
	mostDepth  = 3  // how deep the deepest number is that we want
	mostDigits = 15 // nobody has as many tokens
	tooLong    = mostDigits + 1
)

// name is the name of an object's member; length is more than there is room for if it is too long.
type name struct {
	text   [32]byte
	length int
}

// key is the name at that depth, from 1, that leads to where the scanner is.
func (s *scanner) key(depth int) string {
	n := &s.names[depth-1]
	if n.length > len(n.text) {
		return ""
	}
	return string(n.text[:n.length]) // compared and not kept, it is not copied
}

// ends returns the number that the next byte, c, ends. It stands at the scanner's depth and under its names.
func (s *scanner) ends(c byte) (n int64, ok bool) {
	if s.digits == 0 || s.digits == tooLong || s.inString || ofNumber(c) {
		return 0, false
	}
	return s.number, 0 < s.depth && s.depth <= mostDepth && s.inObject() && !s.wantsName
}

// skip is how many of the bytes to come are in a string that is no name, and change nothing.
func (s *scanner) skip(p []byte) int {
	if !s.inString || s.isName || s.escaped {
		return 0
	}
	if n := bytes.IndexAny(p, "\"\\\r\n"); n >= 0 { // there are no ends of lines in strings, but in streams of events
		return n
	}
	return len(p)
}

// feed takes the next byte.
func (s *scanner) feed(c byte) {
	switch {
	case s.inString:
		s.text(c)
	case ofNumber(c):
		s.digit(c)
	default:
		s.number, s.digits = 0, 0
		s.structure(c)
	}
}

func ofNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (s *scanner) digit(c byte) {
	if s.digits++; s.digits >= tooLong || c < '0' || c > '9' {
		s.digits = tooLong
		return
	}
	s.number = s.number*10 + int64(c-'0')
}

// structure takes a byte that is neither in a string nor in a number.
func (s *scanner) structure(c byte) {
	switch c {
	case '"':
		s.inString, s.isName = true, s.wantsName
		if s.isName && s.depth <= mostDepth {
			s.names[s.depth-1] = name{}
		}
	case '{', '[':
		s.open(c == '{')
	case '}', ']':
		s.depth = max(0, s.depth-1)
		s.wantsName = false
	case ':':
		s.wantsName = false
	case ',':
		s.wantsName = s.inObject()
	}
}

func (s *scanner) open(object bool) {
	s.depth++
	s.wantsName = object
	if s.depth <= mostDepth {
		s.names[s.depth-1] = name{}
	}
	if s.depth <= 64 {
		bit := uint64(1) << (s.depth - 1)
		s.objects &^= bit
		if object {
			s.objects |= bit
		}
	}
}

func (s *scanner) inObject() bool {
	return 0 < s.depth && s.depth <= 64 && s.objects>>(s.depth-1)&1 == 1
}

// text takes a byte of a string.
func (s *scanner) text(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case c == '\\':
		s.escaped = true
	case c == '"':
		s.inString = false
		return
	}
	if s.isName && s.depth <= mostDepth {
		n := &s.names[s.depth-1]
		if n.length < len(n.text) {
			n.text[n.length] = c
		}
		n.length = min(n.length+1, len(n.text)+1)
	}
}
