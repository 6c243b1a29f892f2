package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// dropFunctions returns a test file without the functions that are left out, and without imports that are then
// unused. The rest is unchanged, on the same lines.
func dropFunctions(src []byte, leftOut func(name string) bool) (kept []byte, dropped []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ParseComments)
	if err != nil {
		return nil, nil, err
	}
	kept = slices.Clone(src)
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && leftOut(fn.Name.Name) {
			blank(kept, file, fn)
			if fn.Doc != nil {
				blank(kept, file, fn.Doc)
			}
			dropped = append(dropped, fn.Name.Name)
		}
	}
	if len(dropped) == 0 {
		return kept, nil, nil
	}
	file, err = parser.ParseFile(token.NewFileSet(), "", kept, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, unused := range unusedImports(file) {
		blank(kept, file, unused)
	}
	return kept, dropped, nil
}

// blank overwrites a part of a file with spaces, line by line.
func blank(src []byte, file *ast.File, part ast.Node) {
	start := file.FileStart
	for i := part.Pos() - start; i < part.End()-start; i++ {
		if src[i] != '\n' {
			src[i] = ' '
		}
	}
}

// unusedImports returns the imports, or whole import declarations, that the file does not use.
func unusedImports(file *ast.File) (unused []ast.Node) {
	used := map[string]bool{"_": true, ".": true}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				used[pkg.Name] = true
			}
		}
		return true
	})
	for _, decl := range file.Decls {
		imports, ok := decl.(*ast.GenDecl)
		if !ok || imports.Tok != token.IMPORT {
			continue
		}
		for _, spec := range imports.Specs {
			switch {
			case used[importName(spec.(*ast.ImportSpec))]:
			case imports.Lparen.IsValid():
				unused = append(unused, spec)
			default:
				unused = append(unused, imports)
			}
		}
	}
	return unused
}

// importName returns a package's name in a file. It takes the last element of the path, which is right for the
// packages tested here.
func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	p, _ := strconv.Unquote(spec.Path.Value) // a parsed file has valid paths
	return path.Base(p)
}

// tests returns the names of the tests and examples in a file that is known to parse.
func tests(src []byte) (names []string) {
	file, _ := parser.ParseFile(token.NewFileSet(), "", src, 0)
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && isTest(fn.Name.Name) {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}

func isTest(name string) bool {
	return name != "TestMain" && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Fuzz"))
}

func isBenchmark(name string) bool { return strings.HasPrefix(name, "Benchmark") }
