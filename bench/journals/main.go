// Command journals is the part of bench that measures workload K: libraries that keep calls in a file. It is a program of its
// own, since SQLite's driver needs cgo, and no other workload should be measured in a program with cgo.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// job tells what to measure, as JSON in the first argument.
type job struct {
	Who      string
	Callers  int
	Duration time.Duration
}

func main() {
	if err := mainErr(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "journals:", err)
		os.Exit(1)
	}
}

func mainErr(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("wants one argument, a job as JSON: bench starts it")
	}
	var j job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return fmt.Errorf("job %q: %w", args[0], err)
	}
	found, err := measure(j)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
