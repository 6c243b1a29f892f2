package repotest

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRulesHaveTests checks that every rule of semantics.md has tests, that these exist, and that
// code and documents refer only to rules that exist.
func TestRulesHaveTests(t *testing.T) {
	doc := read(t, "scheduler/semantics.md")
	exists := existingTests(t)
	rules := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([BOKFRCEDJ]\d+) \|.*\|(.*)\|$`).FindAllStringSubmatch(doc, -1) {
		require.False(t, rules[row[1]], "%s twice", row[1])
		rules[row[1]] = true
		named := testNames.FindAllStringSubmatch(row[2], -1)
		require.NotEmpty(t, named, "%s names no test", row[1])
		for _, m := range named {
			require.True(t, exists[m[1]], "%s: there is no %s", row[1], m[1])
		}
	}
	require.Greater(t, len(rules), 30)

	rule := regexp.MustCompile(`\b[BOKFRCEDJ][1-9]\d*\b`) // C0 is a set of control characters
	refers := func(path, text string) {
		for _, number := range rule.FindAllString(text, -1) {
			if !rules[number] {
				t.Errorf("%s refers to %s, and there is no such rule", path, number)
			}
		}
	}
	libraries(t, func(path string, file *ast.File) {
		for _, group := range file.Comments {
			refers(path, group.Text())
		}
	})
	tests(t, func(path string, file *ast.File) {
		for _, group := range file.Comments {
			if isLibrary(path) {
				refers(path, group.Text())
			}
		}
	})
	for _, path := range files(t, ".md") {
		if isLibrary(path) {
			refers(path, read(t, path))
		}
	}
}

// testNames finds the tests that a document names, with their packages.
var testNames = regexp.MustCompile("`([a-z]+\\.Test\\w+)`")

// existingTests returns the tests of all modules, each with its package.
func existingTests(t *testing.T) map[string]bool {
	exists := map[string]bool{}
	tests(t, func(name string, file *ast.File) {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				exists[path.Base(path.Dir(name))+"."+f.Name.Name] = true
			}
		}
	})
	return exists
}
