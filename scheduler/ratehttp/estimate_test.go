package ratehttp_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler/ratehttp"
)

// input returns the estimated input tokens of a body.
func input(body string) int64 {
	in, _ := new(ratehttp.Tokens).Estimate([]byte(body))
	return in
}

// TestH71_Base64IsNoText checks that an image, a sound or a document in base64 does not count as text, in any form, even with escaped
// slashes or line breaks.
func TestH71_Base64IsNoText(t *testing.T) {
	raw := make([]byte, 30_000)
	for i := range raw {
		raw[i] = byte(i * i >> 3)
	}
	standard := base64.StdEncoding.EncodeToString(raw)
	lines := ""
	for line := range slices.Chunk([]byte(standard), 76) {
		lines += string(line) + `\r\n`
	}
	for form, body := range map[string]string{
		"OpenAI's image":        `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`,
		"of its other API":      `{"input":[{"content":[{"type":"input_image","image_url":"data:image/png;base64,%s"}]}]}`,
		"in capitals":           `{"input":[{"content":[{"type":"input_image","image_url":"DATA:image/png;charset=x;base64,%s"}]}]}`,
		"OpenAI's sound":        `{"messages":[{"content":[{"type":"input_audio","input_audio":{"format":"wav","data":"%s"}}]}]}`,
		"OpenAI's document":     `{"messages":[{"content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,%s"}}]}]}`,
		"in a list":             `{"images":["data:image/png;base64,%s"]}`,
		"Anthropic's image":     `{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"%s"}}]}]}`,
		"Gemini's":              `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data" : "%s"}}]}]}`,
		"one that was answered": `{"image":{"b64_json":"%s"}}`,
	} {
		around := int64(len(body)-len("%s")+3) / 4
		for spelling, text := range map[string]string{
			"standard": standard, "for URLs": base64.URLEncoding.EncodeToString(raw), "like a URL": "date" + standard,
			"escaped": strings.ReplaceAll(standard, "/", `\/`), "by number": strings.ReplaceAll(standard, "/", `\u002F`), "in lines": lines,
		} {
			require.Equal(t, around+1000, input(fmt.Sprintf(body, text)), "%s, %s", form, spelling)
		}
		require.EqualValues(t, (len(body)-len("%s")+3201+3)/4, input(fmt.Sprintf(body, standard[:3201])), "%s: no more than its length", form)
	}
	const two = `{"data":"%s","more":{"b64_json":"%[1]s"}}`
	require.Equal(t, int64(len(two)-len("%s%[1]s")+3)/4+2000, input(fmt.Sprintf(two, standard)), "each of the two costs")
}

// TestTextThatLooksLikeBase64 checks that other text counts, even if it looks like base64.
func TestTextThatLooksLikeBase64(t *testing.T) {
	long := strings.Repeat("Zm9v", 5000)
	for _, body := range []string{
		`{"content":"` + long + `"}`, `{"content":"![](data:image/png;base64,` + long + `)"}`, `["` + long + `"]`, `"` + long + `"`,
		`{"data":["` + long + `"]}`, `{"data":{"x":"` + long + `"}}`, `{"datas":"` + long + `"}`, `{"data":7,"x":"` + long + `"}`,
		`{"data":"a few words, ` + long + `"}`, `{"` + long + `":"data"}`, `{"x":"data:image/svg+xml,` + long + `"}`,
		`{"x":"data: ;base64,` + long + `"}`, `{"x":"data:base64,` + long + `"}`, `{"x":"data:;base64","y":",` + long + `"}`,
		`{"x":"dat` + long + `"}`, `{"data\"":"` + long + `"}`, `{"a":"\"data\":\"` + long + `\""}`, long,
		`{"a":[[[[{"data":"x"},"` + long + `"]]]]}`, `{"a":{"b":{"c":{"d":{"data":[],"e":"` + long + `"}}}}}`,
	} {
		escapes := strings.Count(body, `\`)
		require.Equal(t, int64(len(body)-escapes+3)/4, input(body), body[:20])
	}
}

// TestEscapedText checks that a text costs the same in every spelling in JSON.
func TestEscapedText(t *testing.T) {
	const text = `{"a":"Grüße"}` // 15 bytes of UTF-8
	require.EqualValues(t, 4, input(text))
	require.EqualValues(t, 4, input(`{"a":"Gr\u00fc\u00dFe"}`))
	require.EqualValues(t, 3, input(`{"a":"\ud83d\ude00"}`), "12 bytes")
	require.EqualValues(t, 3, input(`{"\u0061":"\u20ac/"}`), "12 bytes")
	require.EqualValues(t, 3, input(`{"a":"\n\t\"\/"}`), "12 bytes")
}

// TestH71_EveryAnswerIsPaid checks that a request for several answers pays for each.
func TestH71_EveryAnswerIsPaid(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		body   string
		output int64
	}{
		{`{"max_tokens":1000,"n":8}`, 8000},
		{`{"n":8,"max_completion_tokens":1000,"best_of":3}`, 8000},
		{`{"best_of":10,"n":8,"max_tokens":1000}`, 10_000},
		{`{"n":8}`, 8 * 30},
		{`{"n":8,"max_tokens":0}`, 0},
		{`{"max_tokens":1000,"n":0}`, 1000},
		{`{"max_tokens":1000,"n":-8}`, 1000},
		{`{"max_tokens":1000,"n":1.5}`, 1000},
		{`{"max_tokens":1000,"n":"8"}`, 1000},
		{`{"max_tokens":1000,"n":1000000000000}`, 1000},
		{`{"max_tokens":1000,"x":{"n":8},"y":[{"n":8}],"z":"\"n\":8","n":null}`, 1000},
		{`{"generationConfig":{"maxOutputTokens":1000,"candidateCount":8}}`, 8000},
		{`{"generation_config":{"max_output_tokens":1000,"candidate_count":8}}`, 8000},
		{`{"generationConfig":{"candidateCount":8}}`, 8 * 30},
		{`{"generationConfig":{"x":{"maxOutputTokens":1000}},"maxOutputTokens":1000,"candidateCount":8,"x":{"maxOutputTokens":9}}`, 30},
		{`{"generationConfig":[{"maxOutputTokens":1000}]}`, 30},
		{`{"max_t\u006fkens":1000}`, 1000},
		{`{"max_tokens":999999999999}`, 999_999_999_999},
		{`{"max_tokens":1000000000000}`, 30},
		{`{"max_tokens":999999999999,"n":999999999999}`, most},
	} {
		tokens := ratehttp.Tokens{Output: 30}
		in, out := tokens.Estimate([]byte(c.body))
		require.Equal(t, min(c.output, most-in), out, c.body)
		require.Equal(t, in, input(c.body))
	}
	tokens := ratehttp.Tokens{Output: most, Count: func([]byte) int64 { return most - 5 }, MaxBody: 1}
	in, out := tokens.Estimate([]byte(`{"n":3}` + strings.Repeat(" ", 100)))
	require.Equal(t, []int64{most, 0}, []int64{in, out})
	in, out = (&ratehttp.Tokens{Output: -1}).Estimate([]byte(`{"n":3}`))
	require.Equal(t, []int64{2, 0}, []int64{in, out}, "the default output is 0")
	in, out = (&ratehttp.Tokens{Output: 9}).Estimate(nil)
	require.Equal(t, []int64{0, 0}, []int64{in, out}, "an empty body costs nothing")
}

// TestBase64BeyondMaxBody checks that if MaxBody ends within base64, the rest of the body counts as base64.
func TestBase64BeyondMaxBody(t *testing.T) {
	const image, sound = `{"url":"data:image/png;base64,`, `{"data":"`
	blob := strings.Repeat("A", 100_000) + `"}`
	for _, c := range []struct {
		start   string
		maxBody int
		seen    int // tokens
		unseen  int
	}{
		{image, len(image), 8, 1000},
		{image, len(image) + 2, 8, 1000},
		{image, len(image) + 1000, 258, 750},
		{image, len(image) + 4000, 1008, 0},
		{image, len(image) + 50_000, 1008, 0},
		{image, len(image) - 1, 8, 1000},
		{image, len(`{"url":"data:`), 4, 1000},
		{sound, len(sound), 3, 1000},
		{sound, len(sound) + 50_000, 1003, 0},
		{sound, len(sound) - 1, 2, 25_001},
		{`{"x":"`, 50_000, 12_500, 12_502},
	} {
		tokens := ratehttp.Tokens{MaxBody: int64(c.maxBody)}
		in, _ := tokens.Estimate([]byte(c.start + blob))
		require.InDelta(t, c.seen+c.unseen, in, 1, c)
		tokens.Count = func(body []byte) int64 { return int64(len(body)) }
		in, _ = tokens.Estimate([]byte(c.start + blob))
		require.InDelta(t, c.maxBody+c.unseen, in, 1, c)
	}
}

// TestWhatComesAfterAnImage checks that numbers after a long image are found, if the body can be read again.
func TestWhatComesAfterAnImage(t *testing.T) {
	body := `{"data":"` + strings.Repeat("A", 3<<20) + `","n":2,"max_tokens":100}`
	_, out := new(ratehttp.Tokens).Estimate([]byte(body))
	require.EqualValues(t, 200, out)
	_, out = (&ratehttp.Tokens{MaxBody: 1 << 20}).Estimate([]byte(body))
	require.Zero(t, out)
}
