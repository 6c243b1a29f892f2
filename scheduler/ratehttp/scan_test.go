package ratehttp

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// walk calls f for each string and number of a JSON text in order, as encoding/json reads them. The path has a name for each object (""
// before its first name) and "[]" for each array. walk returns false if the text is not JSON.
func walk(text []byte, f func(path []string, token any, raw int, isName bool)) bool {
	if !json.Valid(text) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var path []string
	wantsName := false
	for {
		before := dec.InputOffset()
		token, err := dec.Token()
		if err != nil {
			return true
		}
		isName := false
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				path = append(path, "")
			case '[':
				path = append(path, "[]")
			default:
				path = path[:len(path)-1]
			}
			wantsName = t == '{' || t != '[' && inObject(path)
			continue
		case string:
			if isName = wantsName; isName {
				path[len(path)-1] = "=" + t
			}
		}
		raw := text[before:dec.InputOffset()]
		f(path, token, len(bytes.TrimLeft(raw, " \t\r\n,:")), isName)
		wantsName = !isName && inObject(path)
	}
}

func inObject(path []string) bool { return len(path) > 0 && path[len(path)-1] != "[]" }

// count returns the number of tokens that a JSON number stands for.
func count(token any) (n int64, ok bool) {
	number, is := token.(json.Number)
	n, err := number.Int64()
	return n, is && err == nil && n >= 0 && len(number) <= maxDigits && number[0] != '-'
}

// dumbUsage returns the usage in a JSON text, found with encoding/json.
func dumbUsage(text []byte) (u usage, ok bool) {
	u = usage{total: -1, input: -1, output: -1}
	return u, walk(text, func(path []string, token any, _ int, _ bool) {
		n, is := count(token)
		if !is || len(path) < 2 {
			return
		}
		at, last := strings.Join(path[:len(path)-1], ""), path[len(path)-1]
		places := []string{"=usage", "=usageMetadata", "=response=usage", "=response=usageMetadata", "[]=usageMetadata", "=message=usage"}
		to := map[string]*int64{
			"=total_tokens": &u.total, "=totalTokenCount": &u.total,
			"=input_tokens": &u.input, "=prompt_tokens": &u.input, "=promptTokenCount": &u.input,
			"=output_tokens": &u.output, "=completion_tokens": &u.output, "=candidatesTokenCount": &u.output,
			"=cache_creation_input_tokens": &u.cacheWrites, "=thoughtsTokenCount": &u.thoughts, "=toolUsePromptTokenCount": &u.tools,
		}[last]
		if to != nil && slices.Contains(places, at) {
			*to, u.final = n, at != "=message=usage"
		}
	})
}

// FuzzUsage checks that in any JSON, split anywhere, the scanner finds the same as encoding/json, and in a stream of events, too.
func FuzzUsage(f *testing.F) {
	for _, seed := range []string{
		`{"usage":{"total_tokens":30}}`, `{"message":{"usage":{"input_tokens":1,"output_tokens":2}}}`,
		`{"response":{"usage":{"input_tokens":1}},"x":[{"usage":{"total_tokens":3}},"\"usage\":{",[[1]]]}`,
		`[{"usage":{"total_tokens":30}}]`, `{"a":"\"","usage":{"total_tokens":7},"b\\":"\\"}`, `{"usage":{"total_tokens":3.5,"input_tokens":-2,"output_tokens":1e3}}`,
		`{"usage":[{"total_tokens":1}],"a":{"usage":{"total_tokens":2}}}`, `{"usage":{"a":{"total_tokens":2},"total_tokens" : 7 , "b" : "c"}}`,
		`{"usa\u0067e":{"total\u005ftokens":1,"total_tokens":2}}`, `{"usage":{"prompt_tokens":1,"input_tokens":2},"usage":{"input_tokens":3}}`,
		`[{"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}},{"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":6}}]`,
		`{"usageMetadata":{"promptTokenCount":1,"toolUsePromptTokenCount":2}}`, `{"response":{"usageMetadata":{"totalTokenCount":999999999999}},"":{"usageMetadata":{"totalTokenCount":1}}}`,
	} {
		f.Add([]byte(seed), uint(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint) {
		w := newWatcher(false)
		at := int(cut % uint(len(text)+1))
		w.feed(text[:at])
		w.feed(text[at:]) // must not panic, even if it is not JSON
		got, said := ReadUsage(text)
		want, ok := dumbUsage(text)
		if !ok {
			return
		}
		if w.usage != want {
			t.Errorf("%q: %+v, want %+v", text, w.usage, want)
		}
		sums, known := want.sums()
		if got != sums && startsAsJSON(text) || said != known && startsAsJSON(text) {
			t.Errorf("%q: %+v, want %+v", text, got, sums)
		}
		if sums.Total < max(sums.Input, sums.Output) && known && want.total < 0 {
			t.Errorf("%q: %+v", text, sums)
		}
		lines := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r"), []byte("\n")), []byte("\n"), []byte("\ndata:"))
		events, _ := ReadUsage(slices.Concat([]byte("event: x\ndata: "), lines, []byte("\n\n")))
		if events != sums {
			t.Errorf("%q as an event: %+v, want %+v", text, events, sums)
		}
	})
}

// dumbInput returns the input tokens of a body. It returns false if the body is not JSON, or if encoding/json changes its text.
func dumbInput(text []byte) (tokens int64, ok bool) {
	bytes := len(text)
	ok = utf8.Valid(text)
	ok = walk(text, func(path []string, token any, raw int, isName bool) {
		s, is := token.(string)
		if !is {
			return
		}
		ok = ok && !strings.ContainsRune(s, utf8.RuneError) // encoding/json has replaced half of a surrogate pair
		bytes -= raw - len(s) - len(`""`)
		if isName {
			return
		}
		if head, data, found := strings.Cut(s, ","); len(s) >= 5 && strings.EqualFold(s[:5], "data:") {
			if found && strings.HasSuffix(head, ";base64") && !strings.ContainsFunc(head, func(r rune) bool { return r <= ' ' }) {
				bytes -= max(0, inBase64(data)-4000)
			}
		} else if inObject(path) && slices.Contains([]string{"=data", "=file_data", "=b64_json"}, path[len(path)-1]) {
			bytes -= max(0, inBase64(s)-4000)
		}
	}) && ok
	return int64(bytes+3) / 4, ok
}

// inBase64 returns how many leading characters of a text are base64.
func inBase64(s string) int {
	return len(s) - len(strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_=\r\n"))
}

// dumbOutput returns the output tokens that JSON asks for.
func dumbOutput(text []byte) int64 {
	output, answers := int64(0), int64(1)
	_ = walk(text, func(path []string, token any, _ int, _ bool) {
		if n, is := count(token); is {
			switch strings.Join(path, "") {
			case "=max_tokens", "=max_completion_tokens", "=max_output_tokens", "=generationConfig=maxOutputTokens",
				"=generationConfig=max_output_tokens", "=generation_config=maxOutputTokens", "=generation_config=max_output_tokens":
				output = max(output, n)
			case "=n", "=best_of", "=generationConfig=candidateCount", "=generation_config=candidateCount",
				"=generationConfig=candidate_count", "=generation_config=candidate_count":
				answers = max(answers, n)
			}
		}
	})
	if output > 0 && answers > math.MaxInt64/output {
		return math.MaxInt64
	}
	return output * answers
}

// FuzzEstimate checks that the estimate of any body, in one piece or many, is that of encoding/json, and never negative.
func FuzzEstimate(f *testing.F) {
	long := strings.Repeat("Ab+/", 1100)
	for _, seed := range []string{
		`{"max_tokens":5,"n":2,"best_of":3,"a":{"max_tokens":9,"n":9},"b":[{"max_tokens":9}]}`,
		`{"generationConfig":{"maxOutputTokens":7,"candidateCount":2,"a":{"maxOutputTokens":9}}}`,
		`{"max_tokens":999999999999,"n":999999999999}`, `{"max_tokens":-5,"max_output_tokens":1e3,"n":0}`,
		`{"data":"` + long + `","x":["` + long + `"],"data":["` + long + `"]}`, `{"url":"data:image/png;base64,` + long + `!` + long + `"}`,
		`[{"b64_json":"dat` + long + `"},{"file_data":"DATA:;base64,` + strings.ReplaceAll(long, "/", `\/`) + `"}]`,
		`{"data":"\u0064ata:;base64\u002c` + strings.ReplaceAll(long, "A", `\u0041`) + `","a":"data:text/plain,` + long + `"}`,
		`{"data":"` + strings.ReplaceAll(long, "Ab+/A", `Ab+/\r\nA`) + `\u00e9\ud83d\ude00é` + long + `"}`, `"data: x;base64,` + long + `"`, `7`, `{`, `:"x"`, `{:}"`,
	} {
		f.Add([]byte(seed), uint(7), uint(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, cut, size uint) {
		in, out := new(Tokens).Estimate(body)
		if in < 0 || out < 0 || in+out < 0 || in > tokensOf(int64(len(body))) {
			t.Fatalf("%q: %d, %d", body, in, out)
		}
		parts := prompt{output: -1}
		for piece := range slices.Chunk(body, int(size%16)+1) {
			_, _ = parts.Write(piece)
		}
		whole := prompt{output: -1}
		_, _ = whole.Write(body)
		if !reflect.DeepEqual(parts, whole) {
			t.Fatalf("%q in pieces of %d: %+v, want %+v", body, size%16+1, parts, whole)
		}
		most := int64(cut%uint(len(body)+1)) + 1
		if start, _ := (&Tokens{MaxBody: most}).Estimate(body); start < 0 || start > tokensOf(int64(len(body)))+1 {
			t.Errorf("%q up to %d: %d", body, most, start)
		}
		if want, ok := dumbInput(body); ok && in != want {
			t.Errorf("%q: %d, want %d", body, in, want)
		}
		if want := dumbOutput(body); json.Valid(body) && out != min(want, math.MaxInt64-in) {
			t.Errorf("%q: output %d, want %d", body, out, want)
		}
	})
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

func BenchmarkEstimate(b *testing.B) {
	picture := []byte(`{"max_tokens":100,"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0K", 100_000) + `"}}]}]}`)
	text := []byte(`{"max_tokens":100,"messages":[{"content":"` + strings.Repeat("as it goes by, ", 50_000) + `"}]}`)
	for name, body := range map[string][]byte{"picture": picture, "text": text} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, out := new(Tokens).Estimate(body); out != 100 {
					b.Fatal(out)
				}
			}
		})
	}
}
