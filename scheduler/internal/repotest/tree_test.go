package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the path of the root module.
const module = "example.com/fairlead"

// files returns the paths of the repository's files whose names end in suffix, in order. It leaves out test data,
// hidden folders and packages that npm installed.
func files(t *testing.T, suffix string) (paths []string) {
	require.NoError(t, filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name()[0] == '.'):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(p, suffix):
			paths = append(paths, filepath.ToSlash(p))
		}
		return nil
	}))
	require.NotEmpty(t, paths)
	return paths
}

// isLibrary reports whether a file or folder belongs to what users import, which examples and benchmarks do not.
func isLibrary(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return top != "examples" && top != "bench"
}

// sources calls f for every Go file of every module, without tests.
func sources(t *testing.T, f func(path string, file *ast.File)) {
	for _, path := range files(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			f(path, parse(t, path))
		}
	}
}

// libraries calls f for every Go file, without tests, of the packages that users import.
func libraries(t *testing.T, f func(path string, file *ast.File)) {
	sources(t, func(path string, file *ast.File) {
		if isLibrary(path) {
			f(path, file)
		}
	})
}

// tests calls f for every test file of every module.
func tests(t *testing.T, f func(path string, file *ast.File)) {
	for _, path := range files(t, "_test.go") {
		f(path, parse(t, path))
	}
}

// uses calls f for each selection from an identifier, such as Now for time.Now.
func uses(node ast.Node, from string, f func(name string)) {
	ast.Inspect(node, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == from {
				f(sel.Sel.Name)
			}
		}
		return true
	})
}

func parse(t *testing.T, path string) *ast.File {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution|parser.ParseComments)
	require.NoError(t, err)
	return file
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
