package ratehttp

import (
	"bytes"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
)

// Tokens estimates how many tokens a request to a model costs, as the sum of its input and the most that its output may have. It
// knows the JSON bodies of OpenAI's, Anthropic's and Gemini's APIs and of similar ones. When the response reports the actual cost (see
// [ReadUsage]), the estimate is corrected as by [scheduler.Settle].
//
// The input costs a token for each 4 bytes of the body. Escaped text counts as if it were not escaped. An image, a sound or a document
// in base64 counts by its length up to 1000 tokens, about the cost of a picture of a million pixels. Base64 is recognized in data:
// URLs and in the members data, file_data and b64_json.
//
// The output costs as many tokens as max_tokens, max_completion_tokens, max_output_tokens or Gemini's
// generationConfig.maxOutputTokens allows, times the answers that n, best_of or generationConfig.candidateCount asks for. Of several
// values the largest counts. A value that is not a whole number of at most 12 digits is ignored.
//
// The sum is taken from the budget "tokens", and input and output are taken from "input-tokens" and "output-tokens", as far as the
// scheduler has such budgets (see [Transport.Budget]). A request without a JSON body, or with a compressed one, costs no tokens.
//
// A body without GetBody is read up to MaxBody before the request's turn, unless the request's context ends first.
//
// The zero Tokens is ready to use.
type Tokens struct {
	// Count returns the input tokens of a body, of which it gets up to MaxBody bytes. Nil means the estimate above, which
	// needs no copy of a body that has GetBody.
	Count func(body []byte) int64

	// Output is how many tokens each answer may have if the request does not say. Zero means none.
	Output int64

	// MaxBody is how many bytes of a body are read for the estimate. If the request's length is known, the rest costs a token
	// for each 4 bytes. A rest that begins within base64 counts as part of that. Limits of output in the rest are ignored. Zero
	// means 32 MiB, or 1 MiB for a body that has to be copied.
	MaxBody int64
}

const (
	maxScanned = 32 << 20 // more than most APIs take
	maxKept    = 1 << 20
)

// Estimate returns how many tokens a request with this JSON body costs for its input, and at most for its output. Neither is negative,
// and their sum does not overflow. An empty body costs nothing.
func (k *Tokens) Estimate(body []byte) (input, output int64) {
	if len(body) == 0 {
		return 0, 0
	}
	p := prompt{output: -1}
	most := min(int64(len(body)), k.maxBody(false))
	_, _ = p.Write(body[:most]) // never fails
	p.kept = body[:most]
	return k.price(&p, int64(len(body))-most)
}

// maxBody returns how many bytes of a body are read.
func (k *Tokens) maxBody(keep bool) int64 {
	switch {
	case k.MaxBody > 0:
		return k.MaxBody
	case keep:
		return maxKept
	}
	return maxScanned
}

// price returns the cost of a body whose rest was not read.
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

// estimate reads a copy of the body, or the body itself if it can't be copied. It returns the cost and a request with an unread body.
func (k *Tokens) estimate(req *http.Request) (in, out int64, again *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || !isJSON(req.Header) {
		return 0, 0, req
	}
	p := &prompt{output: -1, keep: k.Count != nil || req.GetBody == nil}
	most := k.maxBody(p.keep)
	if req.GetBody != nil {
		if r, err := req.GetBody(); err == nil {
			_, _ = io.Copy(p, io.LimitReader(within(req.Context(), r), most)) // an error comes back when the body is sent
			_ = r.Close()
		}
	} else {
		_, err := io.Copy(p, io.LimitReader(req.Body, most))
		req = putBack(req, p.kept, err)
	}
	in, out = k.price(p, max(0, req.ContentLength-p.bytes))
	return in, out, req
}

// putBack returns a copy of a request whose body begins with the bytes that were read.
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

// failed is a reader that always returns an error.
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
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // returned even if a parameter is invalid
	return kind
}
