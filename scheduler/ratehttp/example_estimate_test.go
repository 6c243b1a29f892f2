package ratehttp_test

import (
	"fmt"
	"strings"

	"example.com/fairlead/scheduler/ratehttp"
)

// A program that sends its bodies in another way estimates them itself. Here two answers may have 500 tokens each. The 900,000
// characters of the picture don't count as text.
func ExampleTokens_Estimate() {
	picture := strings.Repeat("iVBORw0K", 112_500)
	body := `{"model":"m","max_tokens":500,"n":2,"messages":[{"role":"user","content":[
		{"type":"text","text":"Which boat is it?"},
		{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]}]}`

	var tokens ratehttp.Tokens
	input, output := tokens.Estimate([]byte(body))
	fmt.Println(input, output)
	// Output: 1048 1000
}

// The response reports what a request has cost, in the form of its API.
func ExampleReadUsage() {
	for _, body := range []string{
		`{"choices":[{"message":{"content":"Hi!"}}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`,
		`{"content":[{"text":"Hi!"}],"usage":{"input_tokens":9,"cache_creation_input_tokens":100,"output_tokens":3}}`,
		`[{"candidates":[],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}},
		  {"candidates":[],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12}}]`,
		"data: {\"choices\":[]}\n\n" +
			"data: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n",
		`{"error":{"message":"Overloaded"}}`,
	} {
		usage, ok := ratehttp.ReadUsage([]byte(body))
		fmt.Println(usage.Total, usage.Input, usage.Output, ok)
	}
	// Output:
	// 12 9 3 true
	// 112 109 3 true
	// 12 9 3 true
	// 12 9 3 true
	// -1 -1 -1 false
}

// An embeddings API has no output, and may report only one number.
func ExampleUsage() {
	usage, ok := ratehttp.ReadUsage([]byte(`{"data":[],"usage":{"prompt_tokens":8}}`))
	fmt.Println(usage.Total, usage.Input, ok)
	if usage.Output < 0 {
		fmt.Println("nothing is said of the output")
	}
	// Output:
	// 8 8 true
	// nothing is said of the output
}
