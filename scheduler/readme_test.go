package scheduler

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeCompiles checks that every Go program in the README is a whole file and passes go vet,
// as a package of a module that uses this one.
func TestReadmeCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n").FindAllSubmatch(readme, -1)
	require.GreaterOrEqual(t, len(snippets), 4)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	sums, err := os.ReadFile("../go.sum")
	require.NoError(t, err)

	dir := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	write("go.mod", fmt.Appendf(nil, "module readme\ngo 1.25.0\nrequire %[1]s v0.0.0\nreplace %[1]s => %[2]s\n", module, root))
	write("go.sum", sums)
	for i, snippet := range snippets {
		name := "snippet.go"
		if strings.Contains(string(snippet[1]), "*testing.T") {
			name = "snippet_test.go"
		}
		write(fmt.Sprintf("snippet%d/%s", i+1, name), snippet[1])
	}
	cmd := exec.Command("go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestReadmeNamesRealTests checks that the tests and examples that the README names exist.
func TestReadmeNamesRealTests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var all strings.Builder
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		all.Write(src)
		return err
	}))
	names := regexp.MustCompile("`((?:Test|Example)\\w+)`").FindAllSubmatch(readme, -1)
	require.Greater(t, len(names), 10)
	for _, name := range names {
		if !strings.Contains(all.String(), fmt.Sprintf("\nfunc %s(", name[1])) {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// TestLinksLead checks that the files that documents link to exist.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src=")([^)"\s]+)[)"]`)
	code := regexp.MustCompile("(?s)\n```.*?\n```\n")
	documents, links := 0, 0
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		documents++
		text, err := os.ReadFile(path)
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), "\n"), -1) {
			if file, _, _ := strings.Cut(m[1], "#"); file != "" && !strings.Contains(file, "://") {
				links++
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), file)); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
		return err
	}))
	require.Greater(t, documents, 8)
	require.Greater(t, links, 30)
}
