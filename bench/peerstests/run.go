package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// tries bounds how often a failing test is run. Many tests depend on real time, and on a busy machine they fail
// on the peer's own implementation, too. Fairlead's decisions don't depend on that.
const tries = 5

// run runs the tests of a suite that was assembled in the folder.
func (s *suite) run(folder string) (map[string]result, error) {
	results := map[string]result{}
	var again []string
	for try := 1; try == 1 || try <= tries && len(again) > 0; try++ {
		latest, err := s.goTest(folder, again)
		if err != nil {
			return nil, err
		}
		for name, r := range latest {
			r.try = try
			results[name] = r
		}
		again = s.unexpectedFailures(results)
	}
	return results, nil
}

// unexpectedFailures returns the tests that should have passed and did not.
func (s *suite) unexpectedFailures(results map[string]result) (names []string) {
	for _, t := range s.tests {
		if t.verdict == passes && results[t.name].action != "pass" {
			names = append(names, t.name)
		}
	}
	return names
}

// goTest runs the named tests, or all if there are no names.
func (s *suite) goTest(folder string, names []string) (map[string]result, error) {
	args := append([]string{"test", "-json", "-modfile=" + modfile(folder), "-race", "-count=1", "-timeout=60s"}, s.flags...)
	if len(names) > 0 {
		args = append(args, "-run=^("+strings.Join(names, "|")+")$")
	}
	cmd := exec.Command("go", append(args, s.pkg())...)
	cmd.Env = append(os.Environ(), "GOWORK=off") // a workspace does not allow -modfile
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	results, build := parse(out)
	var exit *exec.ExitError
	if (err != nil && !errors.As(err, &exit)) || len(results) == 0 { // a failed test is an exit status, too
		return nil, fmt.Errorf("%v: %v\n%s%s", cmd, err, build, stderr.Bytes())
	}
	return results, nil
}

// parse reads the output of go test -json for a package. It returns how the tests ended, and the compiler's
// messages.
func parse(out []byte) (results map[string]result, build string) {
	results = map[string]result{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var ev struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &ev) != nil {
			continue
		}
		if ev.Action == "build-output" {
			build += ev.Output
		}
		name, _, isPart := strings.Cut(ev.Test, "/")
		if name == "" {
			continue
		}
		r := results[name]
		switch ev.Action {
		case "output":
			r.output += ev.Output
		case "pass", "fail", "skip":
			if !isPart {
				r.action = ev.Action
			}
		}
		results[name] = r
	}
	return results, build
}
