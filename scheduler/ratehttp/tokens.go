package ratehttp

import (
	"bytes"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
)

// Tokens estimates how many tokens a request to a model costs: those of its input, and the most that its output may have. It
// knows the JSON bodies of OpenAI's, Anthropic's and Gemini's APIs and of similar ones. When the response says what the
// request has cost (see [ReadUsage]), the estimate is corrected as by [scheduler.Settle].
//
// The input costs a token for each 4 bytes of the body. Escaped text counts as if it were not escaped. An image, a sound or a document
// in base64 counts by its length, but for no more than 1000 tokens, which is about the cost of a picture of a million pixels. Base64
// is recognized in data: URLs and in the members data, file_data and b64_json.
//
// The output costs as many tokens as max_tokens, max_completion_tokens, max_output_tokens or Gemini's
// generationConfig.maxOutputTokens allows, times the answers that n, best_of or generationConfig.candidateCount asks for. If
// several are there, the largest counts. A value that is not a whole number of at most 12 digits is ignored.
//
// The estimate of both together is taken from the budget "tokens", and those of input and output from "input-tokens" and
// "output-tokens", as far as the scheduler has such budgets: see [Transport.Budget]. A request without a JSON body costs no
// tokens, and neither does one whose body is compressed.
//
// A body that can't be had again (no GetBody) is read up to MaxBody before the request's turn. The request's context ends
// that.
//
// The zero Tokens is ready to use.
type Tokens struct {
	// Count returns the tokens of a body, of which it is given up to MaxBody bytes. Nil means the estimate above, for
	// which no copy is made of a body that can be had again (GetBody).
	Count func(body []byte) int64

	// Output is how many tokens each answer may have if the request does not say. Zero means none.
	Output int64

	// MaxBody is how many bytes of a body are looked at. If the request's length is known, the rest costs a token for each 4
	// bytes, or belongs to the base64 in which it begins. Limits of output in the rest are not seen. Zero means 32 MiB, and 1
	// MiB for a body of which a copy has to be kept.
	MaxBody int64
}

const (
	mostScanned = 32 << 20 // more than most APIs take
	mostKept    = 1 << 20
)

// Estimate returns how many tokens a request with this JSON body costs: those of its input, and the most that its output may
// have. Neither is negative, and their sum does not overflow. An empty body costs nothing.
func (k *Tokens) Estimate(body []byte) (input, output int64) {
	if len(body) == 0 {
		return 0, 0
	}
	p := prompt{output: -1}
	most := min(int64(len(body)), k.most(false))
	_, _ = p.Write(body[:most]) // never fails
	p.kept = body[:most]
	return k.price(&p, int64(len(body))-most)
}

// most returns how many bytes of a body are looked at.
func (k *Tokens) most(keep bool) int64 {
	switch {
	case k.MaxBody > 0:
		return k.MaxBody
	case keep:
		return mostKept
	}
	return mostScanned
}

// price returns the cost of a body that was seen except for a rest.
func (k *Tokens) price(p *prompt, rest int64) (input, output int64) {
	input = p.input(rest)
	if k.Count != nil {
		input = max(0, k.Count(p.kept))
		input += min(p.unseen(rest), math.MaxInt64-input)
	}
	output = p.output
	if output < 0 {
		output = max(0, k.Output)
	}
	if n := max(1, p.answers); output > math.MaxInt64/n {
		output = math.MaxInt64
	} else {
		output *= n
	}
	return input, min(output, math.MaxInt64-input)
}

// estimate looks at a copy of the body; if there is none, at the body itself, and returns a request in which what was read is
// put back.
func (k *Tokens) estimate(req *http.Request) (in, out int64, again *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || !isJSON(req.Header) {
		return 0, 0, req
	}
	p := &prompt{output: -1, keep: k.Count != nil || req.GetBody == nil}
	most := k.most(p.keep)
	if req.GetBody != nil {
		if r, err := req.GetBody(); err == nil {
			_, _ = io.Copy(p, io.LimitReader(within(req.Context(), r), most)) // the sender of the body will see the error
			_ = r.Close()
		}
	} else {
		_, err := io.Copy(p, io.LimitReader(req.Body, most))
		req = putBack(req, p.kept, err)
	}
	in, out = k.price(p, max(0, req.ContentLength-p.bytes))
	return in, out, req
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

// isJSON reports whether a body can be read as JSON.
func isJSON(h http.Header) bool {
	kind := mediaType(h)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// mediaType returns the media type in lower case, or "" for a compressed body.
func mediaType(h http.Header) string {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return ""
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // it is known even if a parameter is not
	return kind
}
