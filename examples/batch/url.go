package main

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// errNoBase is why a line without a whole URL can't be sent.
var errNoBase = errors.New("and there is no -url to complete it")

// join returns the URL that a line's request goes to. A line without a url goes to -url itself.
// A whole URL stays as it is. Any other path is put after the path of -url; what -url ends with and
// the line's path begins with, such as /v1, stands there once. The query of -url goes along, except
// for what the line's own query has by the same name.
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
		path = before + path[shared(before, path):]
		if decoded, err := url.PathUnescape(path); err == nil {
			whole.Path, whole.RawPath = decoded, path
		}
	}
	whole.RawQuery = mergeQueries(target.RawQuery, base.RawQuery)
	return base.ResolveReference(&whole)
}

// shared returns the length of the longest end of before, in whole segments, that path begins with.
func shared(before, path string) int {
	for i := range len(before) {
		if end := before[i:]; end[0] == '/' && strings.HasPrefix(path+"/", end+"/") {
			return len(end)
		}
	}
	return 0
}

// mergeQueries returns a line's query and of the other what the line does not set itself.
func mergeQueries(own, other string) string {
	var parts, names []string
	if own != "" {
		parts = strings.Split(own, "&")
	}
	for _, part := range parts {
		names = append(names, nameOf(part))
	}
	for part := range strings.SplitSeq(other, "&") {
		if part != "" && !slices.Contains(names, nameOf(part)) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "&")
}

// nameOf returns the name of a parameter.
func nameOf(part string) string {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

var (
	userOf  = regexp.MustCompile(`//[^/?#]*@`)
	valueOf = regexp.MustCompile(`=[^&#]*`)
)

// hidden returns a URL without what may be a key, which are the values of its query and its user. The URL
// need not be a valid one.
func hidden(address string) string {
	address = userOf.ReplaceAllString(address, "//…@")
	if at := strings.IndexByte(address, '?'); at >= 0 {
		return address[:at] + valueOf.ReplaceAllString(address[at:], "=…")
	}
	return address
}

// cause returns what is wrong without the URL that it is wrong with: that may have a key in it.
func cause(err error) error {
	if wrong := new(url.Error); errors.As(err, &wrong) {
		return wrong.Err
	}
	return err
}
