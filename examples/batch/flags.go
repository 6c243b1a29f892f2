package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"example.com/fairlead/retry"
)

// config holds the values of the command line.
type config struct {
	in, out   string
	again     bool     // run failed lines of earlier runs again
	part      part     // of the lines; the names of files are those of the part
	whole     string   // the value of -out, whose parts are written
	url       *url.URL // may be nil
	headers   http.Header
	timeout   time.Duration
	maxAnswer int64 // bytes

	requests quota
	tokens   quota
	inFlight int

	shared    sharedBudget
	key       string // hostKey, or the field that has a line's key; or empty
	perKeyRPM int64  // 0: no limit

	policy    retry.Policy
	retries   int           // of a line
	stopAfter int           // refusals in a row; 0 disables it
	maxAway   time.Duration // how long the server may be unreachable
	drain     time.Duration

	report string // files to write a timeline to, or empty
	trace  string
}

const mebibyte = 1 << 20

// flags returns the flags that fill in cfg, and a function that completes cfg once they are parsed.
func (cfg *config) flags() (*flag.FlagSet, func() error) {
	fs := flag.NewFlagSet("batch", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints errors, in one line
	fs.StringVar(&cfg.in, "in", "", "`file` of requests, one JSON object a line; may be a pipe, such as /dev/stdin")
	fs.StringVar(&cfg.out, "out", "", "`file` to append the results to")
	fs.BoolVar(&cfg.again, "again", false, "remove the failures of earlier runs from -out, and run those lines again")
	fs.Var(&cfg.part, "part", "which `part` of the lines to run, such as 2/8 on the second of 8 machines")

	base := fs.String("url", "", "base `URL` of the requests that have no complete URL of their own")
	cfg.headers = http.Header{}
	var faults []error // kept from fs, whose texts repeat the value, which may be a key
	fs.Func("header", "header of every request, as `'Name: value'`; $NAME in it is taken from the environment; may be repeated", func(s string) error {
		faults = append(faults, cfg.addHeader(s))
		return nil
	})
	fs.DurationVar(&cfg.timeout, "timeout", time.Minute, "time limit of one attempt")
	mebibytes := fs.Int64("max-answer", 16, "longest answer to accept, in `MiB`")

	cfg.requests.perMinute, cfg.requests.min = 60, 1
	fs.Var(&cfg.requests, "rpm", "`requests` a minute, retries included, or auto")
	fs.Int64Var(&cfg.requests.burst, "burst", 0, "most `requests` at once, after an idle time; 0 means a tenth of -rpm")
	fs.Var(&cfg.tokens, "tpm", "`tokens` a minute, or auto; 0 means not to count them")
	fs.Int64Var(&cfg.tokens.burst, "token-burst", 0, "most `tokens` at once, and for one line; 0 means all of -tpm")
	shared := fs.String("budget", "", "`URL` of a store and a name; runs with the same ones share -rpm and -tpm; $NAME in it is taken from the environment")
	fs.StringVar(&cfg.key, "key", "", "`field` with a line's key, such as its customer; or host. Keys take turns")
	fs.Int64Var(&cfg.perKeyRPM, "per-key-rpm", 0, "`requests` a minute of each key, retries included; 0 means no limit")
	fs.IntVar(&cfg.inFlight, "in-flight", 16, "most `requests` in flight")

	fs.IntVar(&cfg.retries, "retries", 5, "most `times` a request is retried")
	fs.DurationVar(&cfg.policy.Initial, "backoff", time.Second, "wait before the first retry; it doubles from then on")
	fs.DurationVar(&cfg.policy.Max, "max-backoff", time.Minute, "longest wait before a retry")
	fs.DurationVar(&cfg.policy.MaxServerWait, "max-server-wait", 10*time.Minute, "longest Retry-After to wait for; a longer one stops the run")

	fs.IntVar(&cfg.stopAfter, "stop-after", 10, "stop after this many `failures` in a row that may not be the lines' fault; with 0, each is its line's result")
	fs.DurationVar(&cfg.maxAway, "max-away", time.Hour, "how long to wait for a server that can't be reached, before the run stops")
	fs.DurationVar(&cfg.drain, "drain", 10*time.Second, "how long accepted requests may take to finish after Ctrl-C; with 0, only running ones finish")

	fs.StringVar(&cfg.report, "report", "", "`file` for a timeline of the run, as an HTML page")
	fs.StringVar(&cfg.trace, "trace", "", "`file` for a trace of the run, for Perfetto or chrome://tracing")
	return fs, func() error {
		cfg.whole = cfg.out
		for _, path := range []*string{&cfg.out, &cfg.report, &cfg.trace} {
			*path = cfg.part.file(*path)
		}
		if *shared != "" {
			faults = append(faults, cfg.shared.parse(*shared))
		}
		cfg.maxAnswer = mebibyte * min(*mebibytes, maxAnswerMiB+1)
		if cfg.policy.MaxRetries = cfg.retries; cfg.retries == 0 {
			cfg.policy.MaxRetries = retry.None
		}
		return cfg.check(*base, fs.Args(), faults)
	}
}

// parseFlags reads the command line. Its error is one line.
func parseFlags(args []string) (config, error) {
	var cfg config
	fs, complete := cfg.flags()
	if err := fs.Parse(args); err != nil {
		return cfg, readable(fs, err)
	}
	return cfg, complete()
}

// readable replaces package flag's "parse error" by what the value must be.
func readable(fs *flag.FlagSet, err error) error {
	parts := unparsed.FindStringSubmatch(err.Error())
	if parts == nil {
		return err
	}
	advice := "a whole number"
	switch fs.Lookup(parts[2]).Value.(flag.Getter).Get().(type) {
	case time.Duration:
		advice = "a duration, such as 30s or 1h30m"
	case bool:
		advice = "true or false"
	}
	return fmt.Errorf("%s: it must be %s", parts[1], advice)
}

// unparsed matches package flag's error for a value that it can't parse.
var unparsed = regexp.MustCompile(`^(invalid .* (?:for flag )?-(\S+)): (?:parse error|value out of range)$`)

// addHeader adds a header. It replaces $NAME by the value in the environment, so that keys don't appear in lists
// of processes. Its errors don't show the value.
func (cfg *config) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("-header: it has no colon between name and value (not shown, since it may be a key)")
	}
	name = strings.TrimSpace(name)
	if strings.Trim(strings.ToLower(name), tokenCharacters) != "" || name == "" {
		return fmt.Errorf("-header %q: a header name has only letters, digits and a few signs such as -", short(name))
	}
	var missing []string
	value = os.Expand(value, func(variable string) string {
		v, ok := os.LookupEnv(variable)
		if !ok {
			missing = append(missing, variable)
		}
		return v
	})
	if missing != nil {
		return fmt.Errorf("-header %s: not set in the environment: %s", name, strings.Join(missing, ", "))
	}
	value = strings.TrimSpace(value)
	if at := strings.IndexFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); at >= 0 {
		return fmt.Errorf("-header %s: its value has a control character, %q, at byte %d of %d", name, value[at], at+1, len(value))
	}
	cfg.headers.Add(name, value)
	return nil
}

// tokenCharacters has the characters that RFC 9110 allows in header names, in lower case.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
