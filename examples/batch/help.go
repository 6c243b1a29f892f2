package main

import (
	"flag"
	"fmt"
	"strings"
)

const intro = `Usage: batch -in requests.jsonl -out results.jsonl [flags]

Runs every line of a file against an HTTP API, as fast as budgets of requests and of tokens
a minute allow, and writes a line for each to another file.

  batch -in requests.jsonl -out results.jsonl -url https://api.openai.com/v1 -rpm 500 -tpm 200000 \
        -header 'Authorization: Bearer $OPENAI_API_KEY'

An input line is a request in the form of OpenAI's batch API,
  {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
or any other JSON object, which is then the body of a POST to -url. The first form may
also have a "priority": each point lets the line go as though it had come a minute
earlier, or later if it is negative, among the lines that are read ahead: 1024 at most.
An output line is
  {"id": "…", "custom_id": "a", "response": {"status_code": 200, "body": {…}}, "error": null}
`

// flagGroup is a part of the help.
type flagGroup struct {
	title, text string
	flags       []string
}

var flagGroups = []flagGroup{
	{"Input and output", "", []string{"in", "out", "again"}},
	{"The server", `A line's url is appended to the path of -url, and an overlap of the two appears once:
/chat/completions and /v1/chat/completions both become https://api.openai.com/v1/chat/completions
if -url is https://api.openai.com/v1. The query of -url, such as ?api-version=…, is added. A
line's url with a scheme and a host stays as it is. If -url has a path or a query, batch says
where the first request goes before it sends it.
`, []string{"url", "header", "timeout", "max-answer"}},
	{"Budgets", `With -tpm, a line costs a token for every four bytes of its body (1000 at most for an image
in it) and as many as its answers may have (max_tokens and the like, times n). Once it is
answered, its cost is corrected to its "usage". A line that costs more than the budget ever
holds is not sent. If the server's header fields say that less is left than batch thinks,
batch slows down. With auto, the limit and what is left are the server's, be it less or more.
Until its first answer, that is 60 requests a minute and 10000 tokens a minute.
`, []string{"rpm", "burst", "tpm", "token-burst", "in-flight"}},
	{"Retries", `429 is retried when the server says so, in a header field or in its body; 5xx, lost connections
and answers of 200 with an error inside are retried after a growing wait. Other answers are
final. A line that cannot be read becomes a result with an error.
`, []string{"retries", "backoff", "max-backoff", "max-server-wait"}},
	{"Stopping", `Stop it at any time, in any way, and run the same command again: it goes on where it
was. After Ctrl-C it reads no more lines and finishes those that it has accepted, for as long
as -drain says. A second Ctrl-C stops it at once.
A refusal of the key or the account (401, 402, 403, 407, no credit) or of the URL (404, 405, a
redirect, a certificate) is a line's answer only if other lines are answered. After -stop-after
of them in a row the run stops, and their lines are left to the next run. The same holds for lines
whose retries are used up, which are the server's fault if it answers nothing. All is left when
the server asks for a longer wait than -max-server-wait. While no connection can be made, one
request at a time probes whether the server is back, and no line loses a retry.
`, []string{"stop-after", "max-away", "drain"}},
	{"What happened", "", []string{"report", "trace"}},
}

const exits = `
It exits with 0 if all lines are answered, 1 if a line failed or is left to do, 2 for a wrong
command line or a file that can't be used, and 130 after Ctrl-C.
`

// help returns what -h prints.
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
