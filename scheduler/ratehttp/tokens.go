package ratehttp

import (
	"bytes"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
)

// Tokens estimates what a request to a model costs: the tokens of its input, and the most that its output may
// have. It knows the JSON bodies of OpenAI's and Anthropic's APIs and of those that are like them. When the response says in its
// usage what the request did cost, that is settled: total_tokens or, without it, those of input and output together, to which
// Anthropic's cache_creation_input_tokens belong. See [scheduler.Settle].
//
// The estimate of both together is taken from the budget "tokens", and those of input and output from "input-tokens" and
// "output-tokens", as far as the scheduler has such budgets: see [Transport.Budget]. What has no JSON body costs no tokens.
//
// A body that can't be had again is read up to MaxBody before the request has its turn, which takes as long as whoever
// writes it needs.
//
// The zero Tokens is ready to use.
type Tokens struct {
	// Count counts the tokens of a body, of which it is given up to MaxBody bytes. Nil means one for each 4
	// characters; then no copy is made of a body that can be had again (GetBody).
	Count func(body []byte) int64

	// Output is how many tokens of output are assumed of a request without max_tokens, max_completion_tokens and
	// max_output_tokens. Zero means none.
	Output int64

	// MaxBody is how many bytes of a body are looked at; the rest is taken to have a token for each 4 bytes, if the
	// request says how long it is. Zero means 1 MiB.
	MaxBody int64
}

const (
	charsPerToken  = 4
	defaultMaxBody = 1 << 20
)

// estimate looks at a copy of the body; if there is none, at the body itself, and returns a request in which what was read is
// put back.
func (k *Tokens) estimate(req *http.Request) (in, out int64, again *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || !isJSON(req.Header) {
		return 0, 0, req
	}
	most := k.MaxBody
	if most <= 0 {
		most = defaultMaxBody
	}
	p := &prompt{output: -1, keep: k.Count != nil}
	if req.GetBody != nil {
		if r, err := req.GetBody(); err == nil {
			_, _ = io.Copy(p, io.LimitReader(r, most)) // who sends the body will hear of it
			_ = r.Close()
		}
	} else {
		p.keep = true
		_, err := io.Copy(p, io.LimitReader(req.Body, most))
		req = putBack(req, p.kept, err)
	}
	in = (p.chars + charsPerToken - 1) / charsPerToken
	if k.Count != nil {
		in = max(0, k.Count(p.kept))
	}
	if rest := req.ContentLength - p.bytes; rest > 0 {
		in += (rest + charsPerToken - 1) / charsPerToken
	}
	out = p.output
	if out < 0 {
		out = max(0, k.Output)
	}
	return in, min(out, math.MaxInt64-in), req
}

// putBack returns a copy of a request whose body begins with what was read of it.
func putBack(req *http.Request, read []byte, err error) *http.Request {
	rest := io.Reader(req.Body)
	if err != nil {
		rest = failed{err}
	}
	again := req.WithContext(req.Context())
	again.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), rest), req.Body}
	return again
}

// failed is a reader that has failed.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// prompt is the body of a request as it goes by.
type prompt struct {
	scanner
	keep   bool
	kept   []byte
	bytes  int64
	chars  int64
	output int64 // the largest that is said; -1: nothing is
}

func (p *prompt) Write(b []byte) (int, error) {
	if p.keep {
		p.kept = append(p.kept, b...)
	}
	p.bytes += int64(len(b))
	for _, c := range b {
		if c&0xC0 != 0x80 { // not the rest of a character of UTF-8
			p.chars++
		}
	}
	for i := 0; i < len(b); i++ {
		if i += p.skip(b[i:]); i == len(b) {
			break
		}
		if n, ok := p.ends(b[i]); ok && p.depth == 1 {
			switch p.key(1) {
			case "max_tokens", "max_completion_tokens", "max_output_tokens":
				p.output = max(p.output, n)
			}
		}
		p.feed(b[i])
	}
	return len(b), nil
}

// isJSON says whether a body can be read as JSON.
func isJSON(h http.Header) bool {
	kind := mediaType(h)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// mediaType is the kind of a body, in small letters; "" for one that is compressed.
func mediaType(h http.Header) string {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return ""
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // it is known even if a parameter is not
	return kind
}
