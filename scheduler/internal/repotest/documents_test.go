package repotest

import (
	"go/ast"
	"go/doc"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocumentsNameRealTests checks that the tests and examples exist that documents name.
func TestDocumentsNameRealTests(t *testing.T) {
	exists := map[string]bool{}
	tests(t, func(_ string, file *ast.File) {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				exists[f.Name.Name] = true
			}
		}
	})
	proof := regexp.MustCompile("`(?:[a-z]+\\.)?((?:Test|Example|Fuzz|Benchmark)[A-Z]\\w*)`")
	named := 0
	for _, document := range files(t, ".md") {
		for _, m := range proof.FindAllStringSubmatch(read(t, document), -1) {
			named++
			if !exists[m[1]] {
				t.Errorf("%s: there is no %s", document, m[1])
			}
		}
	}
	require.Greater(t, named, 50)
}

// TestDocumentsNameRealFiles checks that the Go files exist that documents name.
func TestDocumentsNameRealFiles(t *testing.T) {
	code := files(t, ".go")
	goFile := regexp.MustCompile("`(?:\\.\\./)*([\\w./-]+\\.go)`")
	named := 0
	for _, document := range files(t, ".md") {
		for _, m := range goFile.FindAllStringSubmatch(read(t, document), -1) {
			named++
			if !slices.ContainsFunc(code, func(path string) bool { return strings.HasSuffix("/"+path, "/"+m[1]) }) {
				t.Errorf("%s: there is no %s", document, m[1])
			}
		}
	}
	require.Greater(t, named, 50)
}

// TestDocumentsNameRealExports checks that the functions, types, methods and fields exist that documents name with
// their package, as in `retry.Policy.Max`. CHANGELOG.md may name what is gone.
func TestDocumentsNameRealExports(t *testing.T) {
	exports := map[string]map[string]bool{} // by package
	manual(t, func(pkg *doc.Package) { exports[pkg.Name] = exportsOf(pkg) })
	export := regexp.MustCompile("`([a-z]+)\\.([A-Z]\\w*(?:\\.[A-Z]\\w*)?)\\b")
	named := 0
	for _, document := range files(t, ".md") {
		for _, m := range export.FindAllStringSubmatch(prose(t, document), -1) {
			names := exports[m[1]]
			if names == nil || document == "CHANGELOG.md" || strings.HasPrefix(m[2], "Test") || strings.HasPrefix(m[2], "Example") {
				continue
			}
			if named++; !names[m[2]] {
				t.Errorf("%s: there is no %s.%s", document, m[1], m[2])
			}
		}
	}
	require.Greater(t, named, 50)
}

// exportsOf returns the names that a package exports, such as Policy, Policy.String and Policy.Max.
func exportsOf(pkg *doc.Package) map[string]bool {
	names := map[string]bool{}
	values := func(all []*doc.Value) {
		for _, v := range all {
			add(names, "", v.Names...)
		}
	}
	functions := func(prefix string, all []*doc.Func) {
		for _, f := range all {
			add(names, prefix, f.Name)
		}
	}
	values(slices.Concat(pkg.Consts, pkg.Vars))
	functions("", pkg.Funcs)
	for _, typ := range pkg.Types {
		add(names, "", typ.Name)
		values(slices.Concat(typ.Consts, typ.Vars))
		functions("", typ.Funcs)
		functions(typ.Name+".", typ.Methods)
		ast.Inspect(typ.Decl, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok {
				for _, name := range field.Names {
					add(names, typ.Name+".", name.Name)
				}
			}
			return true
		})
	}
	return names
}

func add(set map[string]bool, prefix string, names ...string) {
	for _, name := range names {
		set[prefix+name] = true
	}
}

// TestLinksLead checks that the files and headings that documents link to exist.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src=")([^)"\s]+)[)"]`)
	documents, links := 0, 0
	for _, path := range files(t, ".md") {
		documents++
		for _, m := range link.FindAllStringSubmatch(prose(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			checkLink(t, path, m[1])
		}
	}
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
