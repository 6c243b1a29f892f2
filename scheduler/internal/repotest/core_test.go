package repotest

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCoreIsPure checks the core, and every function of this module that it reaches. They start no goroutine, use no
// channel, do not depend on the order of a map, take no lock, read no clock, draw no random number, and call no code
// of users.
func TestCoreIsPure(t *testing.T) {
	known := map[string]string{ // and why
		"setShare uses the function Error, which may be code of the user": "package bucket made the error",
	}
	code := newTyped()
	core := coreOf(t, code)
	require.Greater(t, len(core), 200)
	seen := map[string]bool{}
	for _, decl := range code.reached(core) {
		for _, fault := range code.impurities(decl) {
			what := fault.fn + " " + fault.what
			if seen[what] = true; known[what] == "" {
				t.Errorf("%s: %s", fault.at, what)
			}
		}
	}
	for what := range known {
		require.True(t, seen[what], "no longer so, remove it from the list: %s", what)
	}
}

// coreOf returns the declarations of the core.
func coreOf(t *testing.T, code *typed) (core []ast.Decl) {
	pkg, some := module+"/scheduler/internal/core", []string(nil)
	if _, err := os.Stat("scheduler/internal/core"); err != nil {
		pkg, some = module+"/scheduler", []string{"core.go", "admit.go", "budgets.go", "adaptive.go", "plan.go", "handover.go", "deadlock.go", "outcome.go", "core_fastpath.go", "queue.go", "aggregate.go", "backoff.go", "calllist.go", "snapshot.go"}
	}
	_, err := code.Import(pkg)
	require.NoError(t, err)
	for _, file := range code.files[pkg] {
		if name := filepath.Base(code.set.Position(file.Pos()).Filename); some == nil || slices.Contains(some, name) {
			core = append(core, file.Decls...)
		}
	}
	return core
}
