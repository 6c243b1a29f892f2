package repotest

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutantsExist checks that the code exists of which mutants.md of a package says that a mutant survives. make
// mutate finds those that tests catch.
func TestMutantsExist(t *testing.T) {
	entry := regexp.MustCompile("^- (\\S+) (\\w+): `(.*)` [A-Z_]+$")
	function := regexp.MustCompile(`^func (?:\([^)]*\) )?(\w+)`)
	for _, list := range files(t, "mutants.md") {
		code := map[string]bool{} // of the files of the list
		for _, line := range strings.Split(read(t, list), "\n") {
			if !strings.HasPrefix(line, "- ") {
				continue
			}
			m := entry.FindStringSubmatch(line)
			require.NotNil(t, m, "%s: %s", list, line)
			require.Equal(t, 1, strings.Count(m[3], "▸"), line)
			if file := m[1]; !code[file] {
				code[file] = true
				in := ""
				for _, text := range strings.Split(read(t, path.Join(path.Dir(list), file)), "\n") {
					if f := function.FindStringSubmatch(text); f != nil {
						in = f[1]
					}
					code[file+" "+in+": "+strings.TrimLeft(text, "\t")] = true
				}
			}
			if !code[m[1]+" "+m[2]+": "+strings.Replace(m[3], "▸", "", 1)] {
				t.Errorf("%s: there is no such line: %s", list, line)
			}
		}
		require.NotEmpty(t, code, list)
	}
}
