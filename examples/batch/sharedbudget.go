package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// sharedBudget is the value of -budget: where the store is, and what the machines that share it call it.
type sharedBudget struct {
	address *url.URL // of the store, without the name; nil means that the run has budgets of its own
	name    string
}

// storeSchemes has the schemes of -budget.
var storeSchemes = []string{"redis", "rediss", "postgres", "postgresql"}

// leadingVariable matches a value of -budget that begins with $NAME.
var leadingVariable = regexp.MustCompile(`^\$(\w+)`)

// parse reads the value of -budget. Its errors don't show it, since it may have a password in it.
func (b *sharedBudget) parse(value string) error {
	var missing []string
	get := func(variable string) string {
		s, ok := os.LookupEnv(variable)
		if !ok {
			missing = append(missing, variable)
		}
		return s
	}
	whole := leadingVariable.FindStringSubmatch(value)
	if whole != nil {
		value = get(whole[1]) + value[len(whole[0]):]
	}
	u, err := url.Parse(value)
	switch {
	case missing != nil:
		return fmt.Errorf("-budget: not set in the environment: %s", missing[0])
	case err != nil && strings.Contains(value, "://"):
		return fmt.Errorf("-budget: %w", errUnparsed)
	case err != nil || !slices.Contains(storeSchemes, u.Scheme):
		return errors.New("-budget: it must begin with " + strings.Join(storeSchemes, ":// or ") + "://, as in redis://localhost:6379?name=openai (not shown, since it may have a password in it)")
	case u.Hostname() == "" && strings.HasPrefix(u.Scheme, "redis"): // a parameter may name the host of PostgreSQL
		return fmt.Errorf("-budget %s: it names no host, as in %s://localhost:6379?name=openai", b.redacted(u), u.Scheme)
	}
	if u.User != nil && whole == nil { // a variable that holds all may have a $ in its password
		u.User = expandUser(u.User, get)
		if missing != nil {
			return fmt.Errorf("-budget: not set in the environment: %s", strings.Join(missing, ", "))
		}
	}
	query := u.Query()
	b.name = query.Get("name")
	if b.name == "" || strings.ContainsFunc(b.name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '{' || r == '}' }) {
		return fmt.Errorf("-budget %s: it needs a name that all who share the budget give, as in ?name=openai, without spaces and braces", b.redacted(u))
	}
	query.Del("name")
	u.RawQuery = query.Encode()
	b.address = u
	return nil
}

// expandUser replaces $NAME in a user and a password by the value in the environment.
func expandUser(user *url.Userinfo, get func(string) string) *url.Userinfo {
	name := os.Expand(user.Username(), get)
	if password, ok := user.Password(); ok {
		return url.UserPassword(name, os.Expand(password, get))
	}
	return url.User(name)
}

// redacted returns an address without the user, the password and values of its query.
func (b *sharedBudget) redacted(address *url.URL) string { return redacted(address.String()) }

// on reports whether the run shares a budget.
func (b *sharedBudget) on() bool { return b.address != nil }

// String returns the store and the name, for messages.
func (b *sharedBudget) String() string {
	return fmt.Sprintf("%q at %s://%s", b.name, b.address.Scheme, b.address.Host)
}

// nameOf returns the name in the store of one of the run's budgets.
func (b *sharedBudget) nameOf(budget string) string { return b.name + "/" + budget }

// checkShared adds the faults of a run that shares its budget.
func (cfg *config) checkShared(faults *faults) {
	if !cfg.shared.on() {
		return
	}
	for flag, q := range map[string]quota{"rpm": cfg.requests, "tpm": cfg.tokens} {
		if q.auto {
			faults.add("-%s auto: with -budget give the limit as a number, the same on all machines", flag)
		}
	}
}
