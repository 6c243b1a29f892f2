package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// hostKey is the value of -key for the host of a line's URL.
const hostKey = "host"

// keyOf returns the key of a line that is a request. With -key host that is its host. Otherwise it is the value of a
// field of the line, or of the line's body if the line has no such field. A line without the field has no key.
func (l *line) keyOf(field string) (string, error) {
	if field == hostKey {
		u, err := url.Parse(l.url)
		if err != nil {
			return "", withoutURL(err)
		}
		return ratehttp.ByHost(&http.Request{URL: u}), nil
	}
	for _, text := range [...][]byte{l.text, l.body} {
		var fields map[string]json.RawMessage
		if json.Unmarshal(text, &fields) != nil {
			continue // it has no fields
		}
		raw := fields[field]
		if raw == nil || string(raw) == "null" {
			continue
		}
		var name string
		switch raw[0] {
		case '{', '[':
			return "", fmt.Errorf("%s is %.60s: the key of a line (-key) must be a string, a number, true or false", field, raw)
		case '"':
			if err := json.Unmarshal(raw, &name); err != nil {
				return "", err
			}
			return name, nil
		}
		return string(raw), nil
	}
	return "", nil
}

// perKey returns what each key has for itself. A host that asks to wait holds itself alone. The keys of a field share a
// server, so its waits hold them all.
func (cfg *config) perKey() scheduler.PerKey {
	p := scheduler.PerKey{Holds: retry.ScopeAll}
	if cfg.key == hostKey {
		p.Holds = retry.ScopeKey
	}
	if n := cfg.perKeyRPM; n > 0 {
		p.Limit = bucket.PerMinute(n).Burst(max(1, n/10))
	}
	return p
}

// checkKey adds the faults of -key and -per-key-rpm.
func (cfg *config) checkKey(faults *faults) {
	faults.atLeast("per-key-rpm", cfg.perKeyRPM, 0)
	switch {
	case cfg.perKeyRPM > 0 && cfg.key == "":
		faults.add("-per-key-rpm %d: it needs -key", cfg.perKeyRPM)
	case cfg.key != hostKey:
	case cfg.url != nil:
		faults.add("-key host: with -url all lines go to one host: leave out one of them")
	case cfg.requests.auto || cfg.tokens.auto:
		faults.add("-key host: many hosts have no limit in common that auto could take from them: give -rpm and -tpm numbers")
	}
}
