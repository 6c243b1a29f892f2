package main

import (
	"flag"
	"fmt"
	"strings"
)

const intro = `Usage: batch -in requests.jsonl -out results.jsonl [flags]

Sends a request to an HTTP API for every line of a file, as fast as budgets of requests and of
tokens a minute allow, and writes a result for each line to another file.

  batch -in requests.jsonl -out results.jsonl -url https://api.openai.com/v1 -rpm 500 -tpm 200000 \
        -header 'Authorization: Bearer $OPENAI_API_KEY'

An input line is a request in the form of OpenAI's batch API,
  {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
or any other JSON object, which is then the body of a POST to -url. The first form may also
have a "priority". Each point counts as having come a minute earlier, or later if it is
negative, among the lines that are read ahead (1024 at most).
An output line is
  {"id": "…", "custom_id": "a", "response": {"status_code": 200, "body": {…}}, "error": null}
`

// flagGroup is a section of the help.
type flagGroup struct {
	title, text string
	flags       []string
}

var flagGroups = []flagGroup{
	{"Input and output", "", []string{"in", "out", "again"}},
	{"The server", `A line's url is appended to the path of -url. An overlap of the two appears once: if -url is
https://api.openai.com/v1, both /chat/completions and /v1/chat/completions become
https://api.openai.com/v1/chat/completions. The query of -url, such as ?api-version=…, is added.
A line's url with a scheme and a host stays as it is. If -url has a path or a query, batch
prints the address of the first request before it sends it.
`, []string{"url", "header", "timeout", "max-answer"}},
	{"Budgets", `With -tpm, a line costs a token for every four bytes of its body (1000 at most for an image
in it) and as many as its answers may have (max_tokens and the like, times n). When it is
answered, its cost is corrected to its "usage". A line that costs more than the budget ever
holds is not sent. If the server's header fields say that less is left than batch assumes,
batch slows down. With auto, batch takes the limit and what is left from the server. Until the
first answer, auto means 60 requests a minute and 10000 tokens a minute.
With -key, lines of different keys take turns, as far as lines are read ahead. -key user means
the field "user" of the line or, if it has none, of its body. -key host means the host of the
line's url. A host that asks to wait holds its own lines alone.
`, []string{"rpm", "burst", "tpm", "token-burst", "in-flight", "key", "per-key-rpm"}},
	{"Retries", `A 429 is retried when the server says so, in a header field or in its body. A 5xx, a lost
connection and a 200 with an error in its body are retried with exponential backoff. Other
answers are final. A line that cannot be read becomes a result with an error.
`, []string{"retries", "backoff", "max-backoff", "max-server-wait"}},
	{"Several machines", `Each machine has the same input and its own part of it, every n-th line, so that all parts
together answer each line once. With -part 2/8, results.jsonl becomes results.2-of-8.jsonl, and
the files of -report and -trace are named likewise. When all parts have ended, put them together
  cat results.*-of-8.jsonl > results.jsonl
and run the command without -part, which sends what may be left to do.
Runs with the same -budget share -rpm and -tpm, which must be the same for all. The URL is that
of the store, with a name that you choose:
  redis://user:password@host:6379/0?name=openai     or rediss:// with TLS
  postgres://user:password@host:5432/db?name=openai
While the store can't be reached, requests wait, for as long as -max-away says.
`, []string{"part", "budget"}},
	{"Stopping", `Stop it at any time, in any way, and run the same command again: it continues where it stopped.
After Ctrl-C it reads no more lines and finishes the accepted ones, for as long as -drain says.
A second Ctrl-C stops it at once.
A refusal of the key or the account (401, 402, 403, 407, no credit) or of the URL (404, 405, a
redirect, a certificate) is its line's result only if other lines are answered. The same holds
for a line whose retries are used up. After -stop-after such failures in a row the run stops,
and leaves these lines to the next run. It also stops when the server asks for a longer wait
than -max-server-wait. While no connection can be made, one request at a time probes whether
the server is back, and no line loses a retry.
`, []string{"stop-after", "max-away", "drain"}},
	{"Reports", "", []string{"report", "trace"}},
}

const exits = `
The exit code is 0 if all lines are answered, 1 if a line failed or is left to do, 2 for a wrong
command line or a file that can't be used, and 130 after Ctrl-C.
`

// help returns the text of -h.
func help() string {
	fs, _ := new(config).flags()
	var b strings.Builder
	b.WriteString(intro)
	for _, group := range flagGroups {
		fmt.Fprintf(&b, "\n%s\n", group.title)
		for _, name := range group.flags {
			b.WriteString(describe(fs.Lookup(name)))
		}
		for line := range strings.Lines(group.text) {
			b.WriteString("  " + line)
		}
	}
	b.WriteString(exits)
	return b.String()
}

// describe returns the help's lines about a flag.
func describe(f *flag.Flag) string {
	value, usage := flag.UnquoteUsage(f)
	s := "  -" + f.Name
	if value != "" {
		s += " " + value
	}
	if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" {
		usage += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	return s + "\n        " + usage + "\n"
}
