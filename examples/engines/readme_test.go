package engines

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rewrite = flag.Bool("rewrite", false, "write the recipes' code as it is now into README.md")

// shown matches a link to a file on a line of its own, and the code block below it.
var shown = regexp.MustCompile("(?m)^\\[`(\\w+/\\w+\\.go)`\\]\\((.*)\\):\n\n```go\n((?s).*?)^```\n")

// TestReadme checks that README.md shows the current files of the recipes. With -rewrite, it updates README.md
// instead.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var files []string
	got := shown.ReplaceAllStringFunc(string(readme), func(block string) string {
		parts := shown.FindStringSubmatch(block)
		file := parts[1]
		require.Equal(t, file, parts[2], "the link leads elsewhere")
		files = append(files, file)
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		return "[`" + file + "`](" + file + "):\n\n```go\n" + string(code) + "```\n"
	})
	require.Equal(t, strings.Count(got, "```go\n"), len(files), "a block of code is of no file")
	if *rewrite {
		require.NoError(t, os.WriteFile("README.md", []byte(got), 0o644))
	} else {
		require.Equal(t, got, string(readme), "write it anew: go test -rewrite")
	}
	require.Subset(t, files, recipes(t), "a recipe is not shown")
}

// recipes returns the files to copy, without the test servers in internal.
func recipes(t *testing.T) (files []string) {
	all, err := filepath.Glob("*/*.go")
	require.NoError(t, err)
	for _, file := range all {
		if file = filepath.ToSlash(file); !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	require.NotEmpty(t, files)
	return files
}
