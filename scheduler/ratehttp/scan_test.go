package ratehttp

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// dumbUsage is what the usage in JSON says, told by encoding/json. It reports false for what
// the scanner need not understand: what is no JSON, and names that are there twice or in another spelling.
func dumbUsage(text []byte) (u usage, ok bool) {
	u = usage{total: -1, input: -1, output: -1}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var top any
	if dec.Decode(&top) != nil || dec.Decode(new(any)) != io.EOF {
		return u, false
	}
	object, _ := top.(map[string]any)
	take := func(in any, first bool) {
		in2, _ := in.(map[string]any)
		for name, to := range map[string]*int64{
			"total_tokens": &u.total, "input_tokens": &u.input, "prompt_tokens": &u.input, "output_tokens": &u.output,
			"completion_tokens": &u.output, "cache_creation_input_tokens": &u.cacheWrites,
		} {
			n, is := in2[name].(json.Number)
			if v, err := n.Int64(); is && err == nil && v >= 0 && len(n) <= mostDigits && n[0] != '-' {
				*to = v
				u.final = u.final || !first
			}
		}
	}
	if message, is := object["message"].(map[string]any); is {
		take(message["usage"], true)
	}
	if response, is := object["response"].(map[string]any); is {
		take(response["usage"], false)
	}
	take(object["usage"], false)
	return u, true
}

// FuzzUsage: whatever the JSON, and wherever it is cut, the scanner finds what encoding/json finds.
func FuzzUsage(f *testing.F) {
	for _, seed := range []string{
		`{"usage":{"total_tokens":30}}`, `{"message":{"usage":{"input_tokens":1,"output_tokens":2}}}`,
		`{"response":{"usage":{"input_tokens":1}},"x":[{"usage":{"total_tokens":3}},"\"usage\":{",[[1]]]}`,
		`[{"usage":{"total_tokens":30}}]`, `{"a":"\"","usage":{"total_tokens":7},"b\\":"\\"}`, `{"usage":{"total_tokens":3.5,"input_tokens":-2,"output_tokens":1e3}}`,
		`{"usage":[{"total_tokens":1}],"a":{"usage":{"total_tokens":2}}}`, `{"usage":{"a":{"total_tokens":2},"total_tokens" : 7 , "b" : "c"}}`,
	} {
		f.Add([]byte(seed), uint(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint) {
		w := &watcher{usage: usage{total: -1, input: -1, output: -1}}
		at := int(cut % uint(len(text)+1))
		w.feed(text[:at])
		w.feed(text[at:]) // whatever it is, it must not panic
		if want, ok := dumbUsage(text); ok && !twice(text) && w.usage != want {
			t.Errorf("%q: %+v, want %+v", text, w.usage, want)
		}
	})
}

// twice reports names of which the last counts in one and the first in the other, or that are spelled with escapes.
func twice(text []byte) bool {
	for _, name := range []string{"usage", "message", "response", "total_tokens", "input_tokens", "prompt_tokens", "output_tokens", "completion_tokens"} {
		if bytes.Count(text, []byte(name)) > 1 {
			return true
		}
	}
	return bytes.Contains(text, []byte(`\u`)) || bytes.Contains(text, []byte("prompt_tokens")) || bytes.Contains(text, []byte("completion_tokens"))
}

func BenchmarkWatch(b *testing.B) {
	text := []byte(`{"choices":[{"message":{"content":"` + string(bytes.Repeat([]byte("as it goes by, "), 4000)) + `"}}],"usage":{"total_tokens":30}}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		w := watcher{usage: usage{total: -1, input: -1, output: -1}}
		w.feed(text)
		if w.usage.total != 30 {
			b.Fatal(w.usage)
		}
	}
}
