package repotest

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// floors lists the packages of the root module. A package imports only packages of lower floors.
var floors = [][]string{
	{"/bucket/storetest/loopback", "/events/internal/safetext", "/retry/internal/durations", "/scheduler/internal/durations"},
	{"/bucket", "/clock", "/events", "/retry"},
	{"/bucket/storetest", "/clock/clocktest", "/events/internal/mean", "/retry/headers"},
	{"/events/bykey", "/events/timeline"},
	{"/scheduler/internal/core", "/scheduler/internal/observer", "/scheduler/internal/safetext"},
	{"/scheduler"},
	{"/scheduler/adapters", "/scheduler/adapters/hashicorp", "/scheduler/forecast", "/scheduler/ratehttp", "/scheduler/stats"},
	{"/scheduler/internal/repotest"},
}

// TestFloors checks that imports only point down. The root module is below the other modules that users import, and
// these are below the examples and benchmarks. Of both, a module is below the modules in its folder.
func TestFloors(t *testing.T) {
	floor := map[string]int{}
	for n, paths := range floors {
		for _, path := range paths {
			floor[module+path] = n
		}
	}
	ours := packages(t)
	for path, pkg := range ours {
		switch {
		case pkg.module == ".":
			require.Contains(t, floor, path, "the new package needs a floor")
		case isLibrary(pkg.module):
			floor[path] = len(floors) + strings.Count(pkg.module, "/")
		default:
			floor[path] = 2*len(floors) + strings.Count(pkg.module, "/")
		}
	}
	for path := range floor {
		require.Contains(t, ours, path, "has a floor and does not exist")
	}
	for path, pkg := range ours {
		for _, imp := range pkg.imports {
			below, is := ours[imp]
			if !is || pkg.module != "." && below.module == pkg.module {
				continue // the compiler refuses a cycle inside a module
			}
			if floor[imp] >= floor[path] {
				t.Errorf("%s imports %s, which is not below it", path, imp)
			}
		}
	}
}

// TestRootNeedsNothing checks that the root module needs nothing but the standard library, except for its tests.
func TestRootNeedsNothing(t *testing.T) {
	mock := "github.com/benbjohnson/clock"
	fortests := []string{mock, "github.com/stretchr/testify/assert", "github.com/stretchr/testify/require", "go.uber.org/goleak", "pgregory.net/rapid"}
	ours := packages(t)
	outside := func(imp string) bool { return ours[imp] == nil && strings.Contains(strings.Split(imp, "/")[0], ".") }
	for path, pkg := range ours {
		if pkg.module != "." {
			continue
		}
		for _, imp := range pkg.imports {
			if outside(imp) && !(path == module+"/clock/clocktest" && imp == mock) {
				t.Errorf("%s imports %s, which is not in the standard library", path, imp)
			}
		}
		for _, imp := range pkg.testImports {
			if outside(imp) && !slices.Contains(fortests, imp) {
				t.Errorf("a test of %s imports %s", path, imp)
			}
		}
	}
}

// goPackage is a package with what its files import, on any platform.
type goPackage struct {
	dir, module          string // folders
	imports, testImports []string
}

// packages returns the packages of all modules by their paths.
func packages(t *testing.T) map[string]*goPackage {
	all, mods := map[string]*goPackage{}, modules(t)
	for _, file := range files(t, ".go") {
		dir := path.Dir(file)
		mod := dir
		for mods[mod] == "" {
			mod = path.Dir(mod)
		}
		importPath := path.Join(mods[mod], strings.TrimPrefix(dir, mod))
		pkg := all[importPath]
		if pkg == nil {
			pkg = &goPackage{dir: dir, module: mod}
			all[importPath] = pkg
		}
		for _, spec := range parse(t, file).Imports {
			imp := strings.Trim(spec.Path.Value, `"`)
			if strings.HasSuffix(file, "_test.go") {
				pkg.testImports = append(pkg.testImports, imp)
			} else {
				pkg.imports = append(pkg.imports, imp)
			}
		}
	}
	return all
}
