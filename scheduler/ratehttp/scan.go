package ratehttp

import "bytes"

// scanner finds the integers and strings in a stream of JSON, and the names that lead to them. Its memory is constant, however long the
// JSON is and however it is split. In text that is not JSON it finds what it can.
type scanner struct {
	depth   int    // how many objects and arrays are open
	objects uint64 // a bit for each of the outermost 64, set if it is an object

	wantsName bool // a string that begins here is a name
	named     bool // a value that begins here belongs to the last name
	inString  bool
	isName    bool  // the string is a name
	escape    uint8 // position in an escape, 1 after the backslash, 2 to 5 before the digits of \u

	char rune // the character that ended with the last byte, or the byte if it is not ASCII; -1 if none did
	code rune // the code of an escape so far

	names  [maxDepth + 1]name // the last name in each of the outermost objects; deeper ones share the last element
	number int64
	digits int // of number; if tooLong, it is not reported
}

const (
	maxDepth  = 3  // of the numbers that the package looks for
	maxDigits = 12 // of a number of tokens
	tooLong   = maxDigits + 1
)

// name is the name of an object's member. A length above the size of text means that the name is too long.
type name struct {
	text   [32]byte
	length int
}

func (s *scanner) at(depth int) *name { return &s.names[min(depth, maxDepth+1)-1] }

// key returns the latest name at that depth, counted from 1.
func (s *scanner) key(depth int) string {
	n := s.at(depth)
	if n.length > len(n.text) {
		return ""
	}
	return string(n.text[:n.length]) // not copied if it is only compared
}

// ends returns the number that ends before the next byte c, if there is one that has a name.
func (s *scanner) ends(c byte) (n int64, ok bool) {
	if s.digits == 0 || s.digits == tooLong || s.inString || ofNumber(c) {
		return 0, false
	}
	return s.number, 0 < s.depth && s.depth <= maxDepth && s.isObject(s.depth) && !s.wantsName
}

// skip returns how many of the leading bytes are inside a string value and change nothing.
func (s *scanner) skip(p []byte) int {
	if !s.inString || s.isName || s.escape != 0 {
		return 0
	}
	if n := bytes.IndexAny(p, "\"\\\r\n"); n >= 0 { // line ends are not in strings, but in streams of events
		return n
	}
	return len(p)
}

// feed takes the next byte.
func (s *scanner) feed(c byte) {
	s.char = -1
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
		s.inString, s.isName, s.escape = true, s.wantsName, 0
		if s.isName && s.depth > 0 {
			*s.at(s.depth) = name{}
		}
	case '{', '[':
		s.open(c == '{')
	case '}', ']':
		s.depth = max(0, s.depth-1)
		s.wantsName, s.named = false, false
	case ':':
		s.wantsName, s.named = false, s.isObject(s.depth)
	case ',':
		s.wantsName, s.named = s.isObject(s.depth), false
	}
}

func (s *scanner) open(object bool) {
	s.depth++
	s.wantsName = object
	*s.at(s.depth) = name{}
	if s.depth <= 64 {
		bit := uint64(1) << (s.depth - 1)
		s.objects &^= bit
		if object {
			s.objects |= bit
		}
	}
}

// isObject reports whether the value that is open at that depth is an object.
func (s *scanner) isObject(depth int) bool {
	return 0 < depth && depth <= 64 && s.objects>>(depth-1)&1 == 1
}

// text takes a byte of a string.
func (s *scanner) text(c byte) {
	switch {
	case s.escape == 1 && c == 'u':
		s.escape, s.code = 2, 0
		return
	case s.escape == 1:
		s.escape, s.char = 0, unescaped(c)
	case s.escape > 1:
		s.code = s.code<<4 | hex(c)
		if s.escape = (s.escape + 1) % 6; s.escape != 0 {
			return
		}
		s.char = s.code
	case c == '\\':
		s.escape = 1
		return
	case c == '"':
		s.inString = false
		return
	default:
		s.char = rune(c)
	}
	if s.isName && s.depth > 0 {
		s.at(s.depth).add(s.char)
	}
}

// add adds a character to the name. All names that the package looks for are ASCII.
func (n *name) add(c rune) {
	if n.length < len(n.text) {
		n.text[n.length] = byte(min(c, 0xFF))
	}
	n.length = min(n.length+1, len(n.text)+1)
}

// unescaped returns the character that c stands for after a backslash.
func unescaped(c byte) rune {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return rune(c)
}

// hex returns the value of a hexadecimal digit, or 0.
func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return 0
}
