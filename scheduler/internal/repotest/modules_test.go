package repotest

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// modules returns the paths of all modules of the repository, by their folders.
func modules(t *testing.T) map[string]string {
	all := map[string]string{}
	for _, file := range files(t, "go.mod") {
		name := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(read(t, file))
		require.NotNil(t, name, file)
		all[path.Dir(file)] = name[1]
	}
	require.Equal(t, module, all["."])
	require.Greater(t, len(all), 5)
	return all
}

// TestModulesAreListed checks that the Makefile tests every module, and that each is in go.work or finds the root by
// a replace directive.
func TestModulesAreListed(t *testing.T) {
	makefile := read(t, "Makefile")
	var list func(variable string) []string
	list = func(variable string) (dirs []string) {
		line := regexp.MustCompile(`(?m)^` + variable + ` := (.*)$`).FindStringSubmatch(makefile)
		require.NotNil(t, line, variable)
		for _, word := range strings.Fields(line[1]) {
			if name, is := strings.CutPrefix(word, "$("); is {
				dirs = append(dirs, list(strings.TrimSuffix(name, ")"))...)
			} else {
				dirs = append(dirs, word)
			}
		}
		return dirs
	}
	all := modules(t)
	byThemselves := []string{"bench/proof", "examples/engines/temporal"} // make proof, make temporal
	require.ElementsMatch(t, slices.Collect(maps.Keys(all)), append(list("MODULES"), byThemselves...))

	var work []string
	for _, m := range regexp.MustCompile(`(?m)^\t(?:\./)?(\S+)$`).FindAllStringSubmatch(read(t, "go.work"), -1) {
		work = append(work, m[1])
	}
	require.ElementsMatch(t, list("WORKSPACE"), work)
	for dir := range all {
		replaces := strings.Contains(read(t, dir+"/go.mod"), module+" => ..")
		require.NotEqual(t, slices.Contains(work, dir), replaces, "%s: either in go.work or with a replace directive", dir)
	}
}

// TestModulesAgree checks that all modules require the same version of what they use themselves, so that tests and
// benchmarks are about the same libraries.
func TestModulesAgree(t *testing.T) {
	versions, by := map[string]string{}, map[string]string{}
	direct := regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) (v\S+)$`) // without the comment "indirect"
	for dir := range modules(t) {
		for _, m := range direct.FindAllStringSubmatch(read(t, dir+"/go.mod"), -1) {
			if m[1] == module || strings.HasPrefix(m[1], module+"/") {
				continue
			}
			if versions[m[1]] == "" {
				versions[m[1]], by[m[1]] = m[2], dir
			}
			if versions[m[1]] != m[2] {
				t.Errorf("%s requires %s %s, and %s %s", dir, m[1], m[2], by[m[1]], versions[m[1]])
			}
		}
	}
	require.Greater(t, len(versions), 20)
}
