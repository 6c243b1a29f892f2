package ratehttp

const (
	bytesPerToken = 4

	// tokensPerBlob is the most that an image, a sound or a document in base64 costs. A picture of 1024 by 1024 pixels costs
	// about 800 to 1400 tokens with OpenAI, Anthropic and Google, and half a minute of sound about 1000 with Google.
	tokensPerBlob = 1000
	bytesPerBlob  = tokensPerBlob * bytesPerToken
)

// prompt scans the body of a request, which is written to it.
type prompt struct {
	scanner
	keep    bool
	kept    []byte
	bytes   int64
	saved   int64 // bytes that are not text
	output  int64 // the largest limit of output in the body; -1 if there is none
	answers int64 // the number of answers that are asked for; 0 if there is none

	where   where // in a string
	binary  bool  // the string is the value of a member that may be base64
	matched int   // how many bytes of scheme or encoding have matched
	run     int64 // characters of base64 so far
}

// where is the part of a string that the scanner has reached.
type where uint8

const (
	text   where = iota
	start        // the first characters, which may be those of a data: URL
	params       // of a data: URL, before its comma
	blob         // base64
)

// A data: URL begins with scheme. Its data are in base64 if encoding comes before the comma.
const (
	scheme   = "data:"
	encoding = ";base64"
)

// base64s has the characters of base64 in either alphabet, and the line ends that some encoders insert.
var base64s = func() (set [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n" {
		set[c] = true
	}
	return set
}()

func (p *prompt) Write(b []byte) (int, error) {
	if p.keep {
		p.kept = append(p.kept, b...)
	}
	p.bytes += int64(len(b))
	for i := 0; i < len(b); i++ {
		if i += p.pass(b[i:]); i == len(b) {
			break
		}
		p.next(b[i])
	}
	return len(b), nil
}

// pass counts the leading bytes that change nothing, and returns how many there are.
func (p *prompt) pass(b []byte) int {
	if p.where == text {
		return p.skip(b)
	}
	if p.where != blob || p.escape != 0 {
		return 0
	}
	n := 0
	for n < len(b) && base64s[b[n]] {
		n++
	}
	p.run += int64(n)
	return n
}

// next takes a byte.
func (p *prompt) next(c byte) {
	if n, ok := p.ends(c); ok {
		p.limit(n)
	}
	was, escape := p.inString, p.escape
	p.feed(c)
	switch {
	case was && !p.inString:
		p.endBlob()
		p.where = text
	case was && p.char >= 0:
		if escape != 0 {
			p.saved += escapedLen(escape) - encodedLen(p.char)
		}
		p.value(p.char)
	case !was && p.inString && !p.isName:
		p.where, p.matched, p.binary = start, 0, p.named && ofBase64(p.key(p.depth))
	}
}

// ofBase64 reports whether the member with that name may have an image, a sound or a document in base64, in the form of OpenAI,
// Anthropic or Gemini.
func ofBase64(name string) bool { return name == "data" || name == "file_data" || name == "b64_json" }

// limit takes a number, which may be a limit of output or a number of answers.
func (p *prompt) limit(n int64) {
	switch {
	case p.depth == 1:
		switch p.key(1) {
		case "max_tokens", "max_completion_tokens", "max_output_tokens":
			p.output = max(p.output, n)
		case "n", "best_of":
			p.answers = max(p.answers, n)
		}
	case p.depth == 2 && (p.key(1) == "generationConfig" || p.key(1) == "generation_config"):
		switch p.key(2) {
		case "maxOutputTokens", "max_output_tokens":
			p.output = max(p.output, n)
		case "candidateCount", "candidate_count":
			p.answers = max(p.answers, n)
		}
	}
}

// value takes a character of a string value.
func (p *prompt) value(c rune) {
	switch p.where {
	case start:
		p.begin(c)
	case params:
		p.param(c)
	case blob:
		if c < 256 && base64s[c] {
			p.run++
		} else {
			p.endBlob()
		}
	}
}

// begin takes a character at the start of a string.
func (p *prompt) begin(c rune) {
	if c < 128 && byte(c)|0x20 == scheme[p.matched] { // matches capitals, too
		if p.matched++; p.matched == len(scheme) {
			p.where, p.matched = params, 0
		}
		return
	}
	p.where = text
	if p.binary {
		p.where, p.run = blob, int64(p.matched)
		p.value(c)
	}
}

// param takes a character of a data: URL before its comma.
func (p *prompt) param(c rune) {
	switch {
	case c == ',' && p.matched == len(encoding):
		p.where = blob
	case c == ',' || c <= ' ':
		p.where = text
	case p.matched < len(encoding) && c == rune(encoding[p.matched]):
		p.matched++
	case c == ';':
		p.matched = 1
	default:
		p.matched = 0
	}
}

// endBlob ends a stretch of base64. Length beyond tokensPerBlob costs nothing.
func (p *prompt) endBlob() {
	p.saved += max(0, p.run-bytesPerBlob)
	p.where, p.run = text, 0
}

// input returns the input tokens of the bytes seen and of a rest that was not seen. If the rest begins within base64, it counts as
// more of that.
func (p *prompt) input(rest int64) int64 {
	return tokensOf(p.bytes-p.saved-max(0, p.run-bytesPerBlob)) + p.unseen(rest)
}

// unseen returns the tokens of a rest that was not seen.
func (p *prompt) unseen(rest int64) int64 {
	if p.where == blob || p.where == params || p.where == start && p.binary {
		rest = min(rest, max(0, bytesPerBlob-p.run))
	}
	return tokensOf(max(0, rest))
}

func tokensOf(bytes int64) int64 { return bytes/bytesPerToken + min(1, bytes%bytesPerToken) }

// escapedLen returns the length in JSON of an escape that ends at that position.
func escapedLen(escape uint8) int64 {
	if escape == 1 {
		return 2
	}
	return 6
}

// encodedLen returns the length in UTF-8 of an escaped character. A character beyond 16 bits is escaped as two halves, which count
// four bytes together.
func encodedLen(c rune) int64 {
	switch {
	case c < 0x80:
		return 1
	case c < 0x800 || 0xD800 <= c && c < 0xE000:
		return 2
	}
	return 3
}
