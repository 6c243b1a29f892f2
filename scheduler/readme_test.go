package scheduler

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is a Go file that a document shows, with the output that the document shows below it, if any.
type program struct{ source, output string }

// programsOf returns the programs of a document.
func programsOf(t *testing.T, document string) (programs []program) {
	shown := regexp.MustCompile("(?s)\n```go\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")
	for _, m := range shown.FindAllStringSubmatch(read(t, document), -1) {
		programs = append(programs, program{source: m[1], output: m[2]})
	}
	return programs
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// newcomer makes a module that uses this one and has each program in a folder of its own, program1 and so on.
func newcomer(t *testing.T, programs []program) (dir string) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir = t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	write("go.mod", fmt.Sprintf("module newcomer\ngo 1.25.0\nrequire %[1]s v0.0.0\nreplace %[1]s => %[2]s\n", module, root))
	write("go.sum", read(t, "../go.sum"))
	for i, p := range programs {
		name := "main.go"
		if strings.Contains(p.source, "*testing.T") {
			name = "main_test.go"
		}
		write(fmt.Sprintf("program%d/%s", i+1, name), p.source)
	}
	return dir
}

// goIn runs the go command in a folder, and returns what it prints.
func goIn(t *testing.T, dir string, args ...string) string {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// TestReadmeRuns checks that the README's programs print what the README says.
func TestReadmeRuns(t *testing.T) {
	programs := programsOf(t, "../README.md")
	require.Len(t, programs, 2)
	dir := newcomer(t, programs)
	for i, p := range programs {
		require.NotEmpty(t, p.output, "the README does not show what program %d prints", i+1)
		require.Equal(t, p.output, goIn(t, dir, "run", "-mod=mod", fmt.Sprintf("./program%d", i+1)))
	}
}

// TestProgramsCompile checks that the code in programs.md is whole files that pass go vet in a module that uses
// this one. The test among them has to pass.
func TestProgramsCompile(t *testing.T) {
	programs := programsOf(t, "programs.md")
	require.Len(t, programs, 5)
	dir := newcomer(t, programs)
	goIn(t, dir, "vet", "-mod=mod", "./...")
	require.Contains(t, goIn(t, dir, "test", "-mod=mod", "./program5"), "ok")
}

// TestReadmeComparison checks that the README and the manual of batch show the same result of make compare.
func TestReadmeComparison(t *testing.T) {
	result := regexp.MustCompile("(?s)\n```\n(The same 320 requests.*?)```\n")
	readme, manual := result.FindStringSubmatch(read(t, "../README.md")), result.FindStringSubmatch(read(t, "../examples/batch/README.md"))
	require.NotEmpty(t, readme)
	require.NotEmpty(t, manual)
	require.Equal(t, manual[1], readme[1])
}

// TestDocumentsNameRealTests checks that the tests and examples exist that these documents name as proof.
func TestDocumentsNameRealTests(t *testing.T) {
	var all strings.Builder
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		all.Write(src)
		return err
	}))
	named := 0
	for _, document := range []string{"../README.md", "../bench/features.md", "programs.md", "faq.md"} {
		for _, name := range regexp.MustCompile("`((?:Test|Example)\\w+)`").FindAllStringSubmatch(read(t, document), -1) {
			named++
			if !strings.Contains(all.String(), fmt.Sprintf("\nfunc %s(", name[1])) {
				t.Errorf("%s: there is no %s", document, name[1])
			}
		}
	}
	require.Greater(t, named, 50)
}

// TestLinksLead checks that the files and headings that documents link to exist.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src=")([^)"\s]+)[)"]`)
	documents, links := 0, 0
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		documents++
		for _, m := range link.FindAllStringSubmatch(prose(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			checkLink(t, path, m[1])
		}
		return nil
	}))
	require.Greater(t, documents, 8)
	require.Greater(t, links, 30)
}

// prose returns a document without its blocks of code.
func prose(t *testing.T, path string) string {
	return regexp.MustCompile("(?s)\n```.*?\n```\n").ReplaceAllString(read(t, path), "\n")
}

// checkLink checks a link in the document at path.
func checkLink(t *testing.T, path, link string) {
	file, heading, _ := strings.Cut(link, "#")
	target := path
	if file != "" {
		target = filepath.Join(filepath.Dir(path), file)
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	if heading == "" {
		return
	}
	if info.IsDir() {
		target = filepath.Join(target, "README.md")
	}
	if !slices.Contains(headings(t, target), heading) {
		t.Errorf("%s: %s has no heading %q", path, target, heading)
	}
}

// headings returns the names by which links refer to a document's headings.
func headings(t *testing.T, path string) (names []string) {
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose(t, path), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(h[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
