package ratehttp

import (
	"net/http"
	"strings"
)

// ByHost returns the host of a request's URL in lower case, for [Transport.Key]. It has the port if that is not the default of the
// URL's scheme, as in "api.example.com" or "localhost:8080". If the request has no URL, ByHost returns "".
func ByHost(req *http.Request) string {
	if req.URL == nil {
		return ""
	}
	host := strings.ToLower(req.URL.Host)
	switch strings.ToLower(req.URL.Scheme) {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":")
}
