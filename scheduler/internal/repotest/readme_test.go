package repotest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// newcomer makes a module that uses this one and has each program in a folder of its own, program1 and so on.
func newcomer(t *testing.T, programs []program) (dir string) {
	root, err := filepath.Abs(".")
	require.NoError(t, err)
	dir = t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	write("go.mod", fmt.Sprintf("module newcomer\ngo 1.25.0\nrequire %[1]s v0.0.0\nreplace %[1]s => %[2]s\n", module, root))
	write("go.sum", read(t, "go.sum"))
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
	programs := programsOf(t, "README.md")
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
	programs := programsOf(t, "scheduler/programs.md")
	require.Len(t, programs, 5)
	dir := newcomer(t, programs)
	goIn(t, dir, "vet", "-mod=mod", "./...")
	require.Contains(t, goIn(t, dir, "test", "-mod=mod", "./program5"), "ok")
}

// TestReadmeComparison checks that the README and the manual of batch show the same result of make compare.
func TestReadmeComparison(t *testing.T) {
	result := regexp.MustCompile("(?s)\n```\n(The same 320 requests.*?)```\n")
	readme, manual := result.FindStringSubmatch(read(t, "README.md")), result.FindStringSubmatch(read(t, "examples/batch/README.md"))
	require.NotEmpty(t, readme)
	require.NotEmpty(t, manual)
	require.Equal(t, manual[1], readme[1])
}
