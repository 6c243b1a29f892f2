package repotest

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
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
		"clocktest.Run":          "takes a *testing.T, which an example does not have: this one is compiled and not run",
		"storetest.Differential": "takes a testing.TB, likewise",
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

// TestExportsAreDocumented checks that every package that users import has a comment, and so has everything that it
// exports, except methods Error. A comment above a group of constants or variables is for each of them.
func TestExportsAreDocumented(t *testing.T) {
	manual(t, func(pkg *doc.Package) {
		documented := func(name, comment string) {
			if comment == "" {
				t.Errorf("%s.%s has no comment", pkg.Name, name)
			}
		}
		values := func(all []*doc.Value) {
			for _, v := range all {
				for _, spec := range v.Decl.Specs {
					spec := spec.(*ast.ValueSpec)
					documented(spec.Names[0].Name, v.Doc+spec.Doc.Text()+spec.Comment.Text())
				}
			}
		}
		functions := func(prefix string, all []*doc.Func) {
			for _, f := range all {
				if prefix == "" || f.Name != "Error" {
					documented(prefix+f.Name, f.Doc)
				}
			}
		}
		documented("the package", pkg.Doc)
		values(slices.Concat(pkg.Consts, pkg.Vars))
		functions("", pkg.Funcs)
		for _, typ := range pkg.Types {
			documented(typ.Name, typ.Doc)
			values(slices.Concat(typ.Consts, typ.Vars))
			functions("", typ.Funcs)
			functions(typ.Name+".", typ.Methods)
		}
	})
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

// manual calls f with the documentation of every package that users import, of all modules. A package that exports
// nothing only has tests.
func manual(t *testing.T, f func(pkg *doc.Package)) {
	for path, listed := range packages(t) {
		if strings.Contains(path, "/internal/") || !isLibrary(listed.dir) {
			continue
		}
		pkg, err := build.ImportDir(listed.dir, 0) // the files of this platform
		require.NoError(t, err)
		set := token.NewFileSet()
		var files []*ast.File
		for _, name := range slices.Concat(pkg.GoFiles, pkg.TestGoFiles, pkg.XTestGoFiles) {
			file, err := parser.ParseFile(set, filepath.Join(listed.dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
		docs, err := doc.NewFromFiles(set, files, path)
		require.NoError(t, err)
		if len(docs.Types)+len(docs.Funcs)+len(docs.Vars)+len(docs.Consts) > 0 {
			f(docs)
		}
	}
}
