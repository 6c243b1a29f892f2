package scheduler

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestManualHasExamples checks that every package that users import, and every function and type
// that it exports, has an example. go doc is the manual, so every example is a whole program whose
// output is checked.
func TestManualHasExamples(t *testing.T) {
	exempt := map[string]string{ // and why
		"clocktest.Run": "takes a *testing.T, which an example does not have: this one is compiled and not run",
	}
	packages, needed := 0, map[string]bool{}
	manual(t, func(pkg *doc.Package) {
		packages++
		for name, examples := range exported(pkg) {
			for _, fault := range faults(examples) {
				if exempt[name] == "" {
					t.Errorf("%s %s", name, fault)
				}
				needed[name] = true
			}
		}
	})
	require.Greater(t, packages, 12)
	for name := range exempt {
		require.True(t, needed[name], "%s has an example or is gone: remove its exemption", name)
	}
}

// exported returns the examples of a package by what they show: the package, each function and
// type, and the methods that have examples.
func exported(pkg *doc.Package) map[string][]*doc.Example {
	all := map[string][]*doc.Example{"package " + pkg.Name: pkg.Examples}
	funcs := pkg.Funcs
	for _, typ := range pkg.Types {
		all[pkg.Name+"."+typ.Name] = typ.Examples
		funcs = append(funcs, typ.Funcs...) // those that return the type
		for _, method := range typ.Methods {
			if len(method.Examples) > 0 {
				all[pkg.Name+"."+typ.Name+"."+method.Name] = method.Examples
			}
		}
	}
	for _, f := range funcs {
		all[pkg.Name+"."+f.Name] = f.Examples
	}
	return all
}

// faults returns what is wrong with the examples of one name.
func faults(examples []*doc.Example) (faults []string) {
	if len(examples) == 0 {
		return []string{"has no example"}
	}
	for _, ex := range examples {
		switch {
		case ex.Output == "":
			faults = append(faults, "has an example without output, which is not run")
		case ex.Unordered:
			faults = append(faults, "has an example with unordered output")
		case ex.Play == nil:
			faults = append(faults, "has an example that uses names of another file")
		}
	}
	return faults
}

// manual calls f with the documentation of every package that users import, of all modules.
func manual(t *testing.T, f func(pkg *doc.Package)) {
	others := []string{"testdata", "internal", "examples", "bench", "compat", "browser"}
	require.NoError(t, filepath.WalkDir("..", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if slices.Contains(others, d.Name()) || strings.HasPrefix(d.Name(), ".") && dir != ".." {
			return fs.SkipDir
		}
		pkg, err := build.ImportDir(dir, 0) // the files of this platform
		if _, none := err.(*build.NoGoError); none || pkg.Name == "main" {
			return nil
		}
		require.NoError(t, err)
		set := token.NewFileSet()
		var files []*ast.File
		for _, name := range slices.Concat(pkg.GoFiles, pkg.TestGoFiles, pkg.XTestGoFiles) {
			file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
		docs, err := doc.NewFromFiles(set, files, module+strings.TrimPrefix(filepath.ToSlash(dir), ".."))
		require.NoError(t, err)
		f(docs)
		return nil
	}))
}
