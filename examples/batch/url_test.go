package main

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoin(t *testing.T) {
	for _, c := range []struct{ base, target, want string }{
		{"https://api.example.com", "/v1/chat", "https://api.example.com/v1/chat"},
		{"https://api.example.com/", "/v1/chat", "https://api.example.com/v1/chat"},
		{"https://api.example.com/v1", "/v1/chat/completions", "https://api.example.com/v1/chat/completions"},
		{"https://api.example.com/v1/", "/v1/chat/completions", "https://api.example.com/v1/chat/completions"},
		{"https://api.example.com/v1", "/chat/completions", "https://api.example.com/v1/chat/completions"},
		{"https://api.example.com/v1", "chat/completions", "https://api.example.com/v1/chat/completions"},
		{"https://api.example.com/v1", "/v1", "https://api.example.com/v1"},
		{"https://api.example.com/v1", "/v10/x", "https://api.example.com/v1/v10/x"},
		{"https://gw.example.com/base/v1?api-version=7", "/v1/chat", "https://gw.example.com/base/v1/chat?api-version=7"},
		{"https://gw.example.com/base/v1?api-version=7", "/base/v1/chat", "https://gw.example.com/base/v1/chat?api-version=7"},
		{"https://gw.example.com/base/v1?api-version=7", "/chat?a=1", "https://gw.example.com/base/v1/chat?a=1&api-version=7"},
		{"https://gw.example.com/base/v1?api-version=7&key=k", "/chat?api%2Dversion=8", "https://gw.example.com/base/v1/chat?api%2Dversion=8&key=k"},
		{"https://gw.example.com/base/v1?api-version=7", "", "https://gw.example.com/base/v1?api-version=7"},
		{"https://gw.example.com/base/v1?api-version=7", "?a=1", "https://gw.example.com/base/v1?a=1&api-version=7"},
		{"https://gw.example.com/a%2Fb", "/c%2Fd", "https://gw.example.com/a%2Fb/c%2Fd"},
		{"https://gw.example.com/v1?key=k", "https://gw.example.com/v2/x", "https://gw.example.com/v2/x"},
		{"https://gw.example.com/v1", "//other.example.com/x", "https://other.example.com/x"},
		{"", "https://gw.example.com/v2/x?a=1", "https://gw.example.com/v2/x?a=1"},
	} {
		var base *url.URL
		if c.base != "" {
			base = parsed(t, c.base)
		}
		require.Equal(t, c.want, join(base, parsed(t, c.target)).String(), "%s and %s", c.base, c.target)
	}
}

func parsed(t *testing.T, address string) *url.URL {
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

// TestRedacted checks that no part of a URL that may be a key is shown, whether or not the URL is valid.
func TestRedacted(t *testing.T) {
	for address, want := range map[string]string{
		"https://x.example.com/a?key=s3cret&api-version=7&flag#part": "https://x.example.com/a?key=…&api-version=…&…#…",
		"https://me:s3cret@x.example.com/a@b":                        "https://…@x.example.com/a@b",
		"https://x.example.com/a?s3cret#s3cret":                      "https://x.example.com/a?…#…",
		"https://me:s3cret/x@x.example.com/a":                        "…",
		"https://me:s3cret?x@x.example.com/a":                        "…",
		"https://me:s3cret#x@x.example.com/a":                        "…",
		"https://x.example.com:s3cret/a":                             "…",
		"/a?key=s3cret":                                              "/a?key=…",
		"https://x.example.com/%zz?key=s3cret%":                      "…",
		"https://x.example.com/a":                                    "https://x.example.com/a",
	} {
		require.Equal(t, want, redacted(address))
	}
	for _, target := range []string{"https://me:s3cret@h/%zz?key=s3cret", "/x?key=s3cret", "https://x.example.com/\x7f?key=s3cret",
		"https://me:s3cret/x@h/", "https://me:s3cret?x@h/", "https://me:s3cret#x@h/", "https://h:s3cret/"} {
		l := newLine(1, []byte(`{"body":{},"url":"`+target+`"}`))
		require.Error(t, l.request(nil))
		require.NotContains(t, l.request(nil).Error(), "s3cret")
	}
	require.True(t, errors.Is(newLine(1, []byte(`{"body":{},"url":"/x"}`)).request(nil), errNoBase))
}
