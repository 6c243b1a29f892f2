package redistest

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Main is a testing.M with a Redis server for examples, whose address is in the environment variable REDIS_ADDRESS.
// It leaves out the examples where no redis-server is installed. Tests that call t.Parallel run twelve at a time, since
// they mostly wait.
type Main struct{ *testing.M }

// Run runs the tests and the examples, and returns the exit code.
func (m Main) Run() int {
	set := func(name, value string) {
		if err := flag.Set(name, value); err != nil {
			m.Fatalf("%v", err)
		}
	}
	set("test.parallel", "12")
	if !installed() {
		set("test.skip", "^Example")
		return m.M.Run()
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		m.Fatalf("%v", err)
	}
	defer os.RemoveAll(dir)
	s := newServer(m, dir, nil)
	s.Run()
	defer s.close()
	os.Setenv("REDIS_ADDRESS", s.Addr)
	return m.M.Run()
}

// Helper does nothing.
func (Main) Helper() {}

// Fatalf ends the program.
func (Main) Fatalf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}
