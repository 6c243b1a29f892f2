package main

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"example.com/fairlead/retry"
)

// maxAnswerMiB is the largest -max-answer, since a later run has to read the result again.
const maxAnswerMiB = 128

// maxStopAfter bounds how many refusals are kept in memory.
const maxStopAfter = 1000

// hasScheme matches a URL with a scheme. In localhost:8080 package url takes the host for a scheme.
var hasScheme = regexp.MustCompile(`^(?i:https?:|[a-z][a-z0-9+.-]*://)`)

// check returns all faults of the command line at once.
func (cfg *config) check(base string, rest []string, addressFaults []error) error {
	faults := &faults{}
	if len(rest) > 0 && len(cfg.headers) > 0 {
		faults.add("%d arguments belong to no flag: put what follows -header in quotes", len(rest)) // without their text, which may be parts of a key
	} else if len(rest) > 0 {
		faults.add("unexpected arguments %q: batch takes only flags", rest)
	}
	if cfg.in == "" || cfg.out == "" {
		faults.add("-in and -out are needed")
	}
	if base != "" {
		u, err := url.Parse(base)
		switch {
		case !hasScheme.MatchString(base):
			faults.add("-url %q: its scheme is missing: begin it with https:// or http://", strings.TrimPrefix(redacted("//"+base), "//"))
		case err != nil:
			faults.add("-url: %v", errUnparsed)
		case !absolute(u):
			faults.add("-url %q: it must be like https://api.example.com/v1/things", redacted(base))
		}
		cfg.url = u
	}
	for _, err := range addressFaults {
		faults.addError(err)
	}
	faults.atLeast("in-flight", int64(cfg.inFlight), 1)
	faults.atLeast("burst", cfg.requests.burst, 0)
	faults.atLeast("token-burst", cfg.tokens.burst, 0)
	faults.atLeast("retries", int64(cfg.retries), 0)
	if cfg.stopAfter < 0 || cfg.stopAfter > maxStopAfter {
		faults.add("-stop-after %d: it must be from 0 to %d", cfg.stopAfter, maxStopAfter)
	}
	if cfg.maxAnswer < mebibyte || cfg.maxAnswer > maxAnswerMiB*mebibyte {
		faults.add("-max-answer %d: it must be from 1 to %d", cfg.maxAnswer/mebibyte, maxAnswerMiB)
	}
	cfg.checkTimes(faults)
	cfg.checkKey(faults)
	cfg.checkShared(faults)
	if !cfg.tokens.enabled() && cfg.tokens.burst != 0 {
		faults.add("-token-burst %d: it needs -tpm", cfg.tokens.burst)
	}
	if faults.all == nil {
		for budget, limit := range cfg.limits() {
			faults.addError(limit.Validate()) // the checks above should have found all faults
			if err := limit.ValidateShared(); cfg.shared.on() && err != nil {
				faults.add("-budget: the limit of %s is too large: %v", budget, err)
			}
		}
		faults.addError(cfg.policy.Validate())
	}
	return faults.err()
}

func (cfg *config) checkTimes(faults *faults) {
	faults.positive("timeout", cfg.timeout)
	faults.positive("backoff", cfg.policy.Initial)
	if cfg.policy.Max < cfg.policy.Initial {
		faults.add("-max-backoff %v: it must be at least -backoff, which is %v", cfg.policy.Max, cfg.policy.Initial)
	}
	faults.notNegative("max-server-wait", cfg.policy.MaxServerWait)
	faults.notNegative("max-away", cfg.maxAway)
	faults.notNegative("drain", cfg.drain)
	if cfg.policy.MaxServerWait == 0 { // zero would mean the default
		cfg.policy.MaxServerWait = retry.None
	}
}

// faults collects the faults of a command line.
type faults struct{ all []string }

func (f *faults) add(format string, args ...any) { f.all = append(f.all, fmt.Sprintf(format, args...)) }

func (f *faults) addError(err error) {
	if err != nil {
		f.add("%v", err)
	}
}

func (f *faults) atLeast(name string, n, minimum int64) {
	if n < minimum {
		f.add("-%s %d: it must be at least %d", name, n, minimum)
	}
}

func (f *faults) positive(name string, d time.Duration) {
	if d <= 0 {
		f.add("-%s %v: it must be positive", name, d)
	}
}

func (f *faults) notNegative(name string, d time.Duration) {
	if d < 0 {
		f.add("-%s %v: it must not be negative", name, d)
	}
}

// err returns the faults as one error on one line.
func (f *faults) err() error {
	if f.all == nil {
		return nil
	}
	return errors.New(strings.Join(f.all, "; "))
}
