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

// config is what the command line asks for.
type config struct {
	in, out   string
	again     bool     // run once more what failed in earlier runs
	url       *url.URL // may be nil
	headers   http.Header
	timeout   time.Duration
	maxAnswer int64 // bytes

	requests quota
	tokens   quota
	inFlight int

	policy    retry.Policy
	retries   int           // of one line
	stopAfter int           // refusals in a row; 0: never
	maxAway   time.Duration // how long the server may be out of reach
	drain     time.Duration

	report string // files to write a timeline to, if any
	trace  string
}

const mebibyte = 1 << 20

// flags returns the flags that fill in cfg, and a function that completes it once they are parsed.
func (cfg *config) flags() (*flag.FlagSet, func() error) {
	fs := flag.NewFlagSet("batch", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints errors, in one line
	fs.StringVar(&cfg.in, "in", "", "`file` of requests, one JSON object a line; may be a pipe, such as /dev/stdin")
	fs.StringVar(&cfg.out, "out", "", "`file` to append the results to")
	fs.BoolVar(&cfg.again, "again", false, "take the lines that failed in earlier runs out of -out, and run them again")

	base := fs.String("url", "", "where requests go that have no whole `URL` of their own")
	cfg.headers = http.Header{}
	var faults []error // not returned to fs, whose texts repeat the value, which may be a key
	fs.Func("header", "a header to send along, as `'Name: value'`; $NAME in it is taken from the environment; may be repeated", func(s string) error {
		faults = append(faults, cfg.addHeader(s))
		return nil
	})
	fs.DurationVar(&cfg.timeout, "timeout", time.Minute, "longest time one attempt may take")
	mebibytes := fs.Int64("max-answer", 16, "longest answer that is taken, in `MiB`")

	cfg.requests.perMinute, cfg.requests.least = 60, 1
	fs.Var(&cfg.requests, "rpm", "`requests` a minute, retries included, or auto")
	fs.Int64Var(&cfg.requests.burst, "burst", 0, "most `requests` at once after a pause; 0 stands for a tenth of -rpm")
	fs.Var(&cfg.tokens, "tpm", "`tokens` a minute, or auto; 0: they are not counted")
	fs.Int64Var(&cfg.tokens.burst, "token-burst", 0, "most `tokens` at once, and for one line; 0 stands for all of -tpm")
	fs.IntVar(&cfg.inFlight, "in-flight", 16, "most `requests` under way at the same time")

	fs.IntVar(&cfg.retries, "retries", 5, "how many `times` a request is retried at most")
	fs.DurationVar(&cfg.policy.Initial, "backoff", time.Second, "wait before the first retry; it doubles from then on")
	fs.DurationVar(&cfg.policy.Max, "max-backoff", time.Minute, "longest wait before a retry")
	fs.DurationVar(&cfg.policy.MaxServerWait, "max-server-wait", 10*time.Minute, "longest Retry-After that is waited for; one that is longer stops the run")

	fs.IntVar(&cfg.stopAfter, "stop-after", 10, "stop after so many `refusals` in a row of the key, the account or the URL, or lines whose retries are used up; 0: each is its line's answer")
	fs.DurationVar(&cfg.maxAway, "max-away", time.Hour, "how long a server that can't be reached is waited for before the run stops")
	fs.DurationVar(&cfg.drain, "drain", 10*time.Second, "how long requests that were accepted may take to finish after Ctrl-C; 0 lets only those finish that run")

	fs.StringVar(&cfg.report, "report", "", "`file` to draw what happened into, as an HTML page")
	fs.StringVar(&cfg.trace, "trace", "", "`file` to write what happened to, as a trace for Perfetto or chrome://tracing")
	return fs, func() error {
		cfg.maxAnswer = mebibyte * min(*mebibytes, mostMebibytes+1)
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

// readable returns an error that says which value is needed, where package flag says only
// "parse error".
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

// unparsed matches package flag's error for a value that it can't read.
var unparsed = regexp.MustCompile(`^(invalid .* (?:for flag )?-(\S+)): (?:parse error|value out of range)$`)

// addHeader takes a header in which variables stand for values from the environment, so that
// keys don't appear in lists of processes. Its errors don't show the value.
func (cfg *config) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("-header: it has no colon between name and value (its text is not shown: it may be a key)")
	}
	name = strings.TrimSpace(name)
	if strings.Trim(strings.ToLower(name), tokenCharacters) != "" || name == "" {
		return fmt.Errorf("-header %q: a name of a header has only letters, digits and a few signs such as -", short(name))
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

// tokenCharacters has the characters that RFC 9110 allows in names of headers, in lower case.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
