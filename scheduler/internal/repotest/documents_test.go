package repotest

import (
	"go/ast"
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
