package headers_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry/headers"
)

// openAI is a whole header, most of which is not about rate limits.
var openAI = fields(`
Date: Sun, 01 Mar 2026 12:00:00 GMT
Content-Type: application/json
Content-Length: 842
Connection: keep-alive
Access-Control-Expose-Headers: X-Request-ID
Openai-Model: gpt-4o-2024-08-06
Openai-Organization: org-1234567890
Openai-Processing-Ms: 412
Openai-Version: 2020-10-01
X-Ratelimit-Limit-Requests: 10000
X-Ratelimit-Limit-Tokens: 30000000
X-Ratelimit-Remaining-Requests: 9999
X-Ratelimit-Remaining-Tokens: 29999958
X-Ratelimit-Reset-Requests: 6ms
X-Ratelimit-Reset-Tokens: 0s
X-Request-Id: req_0123456789abcdef
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload
Cf-Cache-Status: DYNAMIC
Set-Cookie: __cf_bm=abc; path=/; HttpOnly
X-Content-Type-Options: nosniff
Server: cloudflare
Cf-Ray: 0123456789abcdef-AMS
Alt-Svc: h3=":443"; ma=86400`)

func BenchmarkParse(b *testing.B) {
	for name, h := range map[string]http.Header{
		"openai":    openAI,
		"nothing":   fields("Date: Sun, 01 Mar 2026 12:00:00 GMT\nContent-Type: application/json\nContent-Length: 842"),
		"seconds":   fields("Retry-After: 30"),
		"date":      fields("Retry-After: Sun, 01 Mar 2026 12:00:30 GMT"),
		"draft8":    fields("RateLimit: \"p\";r=1;t=60\nRateLimit-Policy: \"p\";q=2;w=60"),
		"malformed": fields("Retry-After: soon\nRateLimit: ???"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				headers.Parse(h, now)
			}
		})
	}
}

func TestParse_AllocatesNothingButBudgets(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { headers.Parse(fieldsSeconds, now) }))
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() { headers.Parse(openAI, now) }))
}

var fieldsSeconds = fields("Retry-After: 30\nX-Should-Retry: true")
