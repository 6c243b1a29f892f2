package main

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// errNoBase is the error of a line that needs -url when there is none.
var errNoBase = errors.New("and there is no -url to complete it")

// join returns the URL of a line's request. A line without a url goes to -url itself, and a complete URL stays
// as it is. Any other path is appended to that of -url, and an overlap such as /v1 appears once. The query of
// -url is added, except for parameters that the line sets itself.
func join(base, target *url.URL) *url.URL {
	if base == nil || target.Scheme != "" || target.Host != "" {
		if base != nil {
			return base.ResolveReference(target)
		}
		return target
	}
	whole := *target
	before := strings.TrimSuffix(base.EscapedPath(), "/")
	switch path := target.EscapedPath(); {
	case path == "":
		whole.Path, whole.RawPath = base.Path, base.RawPath
	default:
		path = "/" + strings.TrimPrefix(path, "/")
		path = before + path[overlap(before, path):]
		if decoded, err := url.PathUnescape(path); err == nil {
			whole.Path, whole.RawPath = decoded, path
		}
	}
	whole.RawQuery = mergeQueries(target.RawQuery, base.RawQuery)
	return base.ResolveReference(&whole)
}

// overlap returns the length of the longest end of before, in whole segments, with which path begins.
func overlap(before, path string) int {
	for i := range len(before) {
		if end := before[i:]; end[0] == '/' && strings.HasPrefix(path+"/", end+"/") {
			return len(end)
		}
	}
	return 0
}

// mergeQueries returns a line's query plus the parameters of other that the line does not set.
func mergeQueries(own, other string) string {
	var parts, names []string
	if own != "" {
		parts = strings.Split(own, "&")
	}
	for _, part := range parts {
		names = append(names, parameterName(part))
	}
	for part := range strings.SplitSeq(other, "&") {
		if part != "" && !slices.Contains(names, parameterName(part)) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "&")
}

// parameterName returns the name of a query parameter.
func parameterName(part string) string {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

var userOf = regexp.MustCompile(`//[^/?#]*@`)

// redacted returns a URL without its user, the values of its query and its fragment, which may be keys. A URL
// that can't be parsed is not shown at all, since a key may be in any part of it.
func redacted(address string) string {
	if _, err := url.Parse(address); err != nil {
		return "…"
	}
	address, _, fragment := strings.Cut(address, "#")
	address, query, _ := strings.Cut(address, "?")
	address = userOf.ReplaceAllString(address, "//…@")
	separator := "?"
	for part := range strings.SplitSeq(query, "&") {
		name, _, named := strings.Cut(part, "=")
		switch {
		case named:
			address += separator + name + "=…"
		case part != "":
			address += separator + "…"
		}
		separator = "&"
	}
	if fragment {
		address += "#…"
	}
	return address
}

// errUnparsed replaces package url's errors, which show parts of the URL.
var errUnparsed = errors.New("it can't be parsed, and is not shown, since it may have a key in it: in a user, a password or a query write %23 for #, %25 for %, %2F for /, %3F for ? and %40 for @")

// withoutURL returns an error of net/http or net/url without the URL.
func withoutURL(err error) error {
	if errors.As(err, new(*url.Error)) {
		return errUnparsed
	}
	return err
}
