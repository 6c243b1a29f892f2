package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"example.com/fairlead/retry"
)

// config is what the command line asks for.
type config struct {
	in, out  string
	url      *url.URL // may be nil
	requests quota
	tokens   quota
	policy   retry.Policy
	inFlight int
	report   string // files to write a timeline to, if any
	trace    string
	headers  http.Header
	timeout  time.Duration
	drain    time.Duration
	again    bool // run once more what failed in earlier runs
}

const usage = `Usage: batch -in requests.jsonl -out results.jsonl [flags]

Runs every line of a file against an HTTP API, as fast as budgets of requests and of tokens
a minute allow, and writes a line for each to another file.

  batch -in requests.jsonl -out results.jsonl -url https://api.openai.com -rpm 500 -tpm 200000 \
        -header 'Authorization: Bearer $OPENAI_API_KEY'

An input line is a request in the form of OpenAI's batch API,
  {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
or any other JSON object, which is then the body of a POST to -url. The first form may
also have a "priority": each point lets the line go as though it had come a minute
earlier, or later if it is negative, among the lines that are read ahead: 1024 at most.
An output line is
  {"id": "…", "custom_id": "a", "response": {"status_code": 200, "body": {…}}, "error": null}

With -tpm, a line costs a token for every four bytes of its body and as many as its answer
may have, by max_tokens, max_completion_tokens or max_output_tokens; once it is answered,
what its "usage" says. One that costs more than the budget ever holds is not sent.

The server's header fields are listened to: if less is left than batch thinks, batch
slows down. With auto, the limit itself is the server's, and what is left is what it
says, be it less or more. Until its first answer, that is 60 requests a minute and
10000 tokens a minute.

429 is retried when the server says so, 5xx and lost connections after a growing wait;
other answers are final. A line that cannot be read becomes a result with an error.

Stop it at any time, in any way, and run the same command again: it goes on where it
was. Ctrl-C has it read no more and finish what it has accepted, for as long as -drain
says; a second one stops it at once. It exits with 0 if all went well, 1 if a request
failed, 2 for a wrong command line and 130 after Ctrl-C.

Flags:
`

func parseFlags(args []string) (config, error) {
	var cfg config
	fs := flag.NewFlagSet("batch", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&cfg.in, "in", "", "`file` of requests, one JSON object a line")
	fs.StringVar(&cfg.out, "out", "", "`file` to append the results to")
	base := fs.String("url", "", "where requests go that have no absolute `URL` of their own")
	cfg.requests.perMinute = 60
	fs.Var(&cfg.requests, "rpm", "`requests` a minute, retries included, or auto")
	fs.Int64Var(&cfg.requests.burst, "burst", 0, "most `requests` at once after a pause; 0 stands for a tenth of -rpm")
	fs.Var(&cfg.tokens, "tpm", "`tokens` a minute, or auto; 0: they are not counted")
	fs.Int64Var(&cfg.tokens.burst, "token-burst", 0, "most `tokens` at once, and for one line; 0 stands for all of -tpm")
	fs.IntVar(&cfg.inFlight, "in-flight", 16, "most `requests` under way at the same time")
	retries := fs.Int("retries", 5, "how often a request is retried at most")
	fs.DurationVar(&cfg.policy.Initial, "backoff", time.Second, "wait before the first retry; it doubles from then on")
	fs.DurationVar(&cfg.policy.Max, "max-backoff", time.Minute, "longest wait before a retry")
	fs.DurationVar(&cfg.policy.MaxServerWait, "max-server-wait", 10*time.Minute, "longest Retry-After that is waited for")
	fs.StringVar(&cfg.report, "report", "", "`file` to draw what happened into, as an HTML page")
	fs.StringVar(&cfg.trace, "trace", "", "`file` to write what happened to, as a trace for Perfetto or chrome://tracing")
	fs.DurationVar(&cfg.timeout, "timeout", time.Minute, "longest time one attempt may take")
	fs.DurationVar(&cfg.drain, "drain", 10*time.Second, "how long requests that were accepted may take to finish after Ctrl-C; 0 lets only those finish that run")
	fs.BoolVar(&cfg.again, "again", false, "take the lines that failed in earlier runs out of -out, and run them again")
	cfg.headers = http.Header{}
	fs.Func("header", "a header to send along, as `'Name: value'`; $NAME in it is taken from the environment; may be repeated", cfg.addHeader)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return cfg, err
		}
		return cfg, errors.New("the command line is wrong, see above")
	}
	cfg.policy.MaxRetries = *retries
	if *retries == 0 {
		cfg.policy.MaxRetries = retry.None
	}
	return cfg, cfg.check(*base, fs.Args())
}

// addHeader takes a header in which variables stand for values from the environment, so
// that keys don't appear in lists of processes.
func (cfg *config) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("it has no colon between name and value")
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
		return fmt.Errorf("not set in the environment: %s", strings.Join(missing, ", "))
	}
	cfg.headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// check finds what is wrong with the command line, all of it at once.
func (cfg *config) check(base string, rest []string) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(rest) > 0 {
		fault("unexpected %q: everything is a flag", rest)
	}
	if cfg.in == "" || cfg.out == "" {
		fault("-in and -out are needed")
	}
	if base != "" {
		u, err := url.Parse(base)
		if err != nil || !absolute(u) {
			fault("-url %q: it must be like https://api.example.com/v1/things", base)
		}
		cfg.url = u
	}
	if cfg.inFlight < 1 {
		fault("-in-flight %d: it must be at least 1", cfg.inFlight)
	}
	if cfg.timeout <= 0 {
		fault("-timeout %v: it must be positive", cfg.timeout)
	}
	if cfg.drain < 0 {
		fault("-drain %v: it must not be negative", cfg.drain)
	}
	if !cfg.tokens.on() && cfg.tokens.burst != 0 {
		fault("-token-burst %d: it needs -tpm", cfg.tokens.burst)
	}
	for name, limit := range cfg.limits() {
		if err := limit.Validate(); err != nil {
			fault("%s: %w", name, err)
		}
	}
	faults = append(faults, cfg.policy.Validate())
	return errors.Join(faults...)
}
