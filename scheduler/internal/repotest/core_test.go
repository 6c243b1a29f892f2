package repotest

import (
	"go/ast"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCoreIsPure checks the core, and every function of this module that it reaches. They start no goroutine, use no
// channel, do not depend on the order of a map, take no lock, read no clock, draw no random number, and call no code
// of users.
func TestCoreIsPure(t *testing.T) {
	known := map[string]string{ // and why
		"setShare uses the function Error, which may be code of the user":                   "package bucket made the error",
		"New uses the function maps.Keys(cfg.Limits), which may be code of the user":        "it is sorted at once",
		"New uses the function maps.Keys(cfg.PerKey.Limits), which may be code of the user": "it is sorted at once",
		"New uses maps.Keys": "it is sorted at once",
		"set uses the function setIndex, which may be code of the user":        "it is a method of the core's own types",
		"Error formats an interface, whose methods may be code of the user":    "the core does not call Early.Error",
		"text uses the function Error, which may be code of the user":          "only Early.Error calls it",
		"validate formats an interface, whose methods may be code of the user": "these are numbers, names and an error of package time",
		"location uses sync.Load":  "the core is given limits that are valid, so their time zones are there",
		"location uses sync.Store": "as before",
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
	const pkg = module + "/scheduler/internal/core"
	_, err := code.Import(pkg)
	require.NoError(t, err)
	for _, file := range code.files[pkg] {
		core = append(core, file.Decls...)
	}
	return core
}
