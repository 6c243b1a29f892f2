package scheduler

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "example.com/fairlead"

// TestCoreIsPure: the files of the core import nothing with which they could read a
// clock, take a lock or draw a random number, and have no goroutine or channel.
func TestCoreIsPure(t *testing.T) {
	allowed := []string{"math", "slices", "sort", "time", module + "/bucket", module + "/events", module + "/retry"}
	for _, name := range []string{"core.go", "admit.go", "budgets.go", "plan.go", "outcome.go", "lent.go", "queue.go", "load.go", "backoff.go", "chain.go", "snapshot.go"} {
		file := parse(t, name)
		for _, imp := range file.Imports {
			require.Contains(t, allowed, strings.Trim(imp.Path.Value, `"`), "import in %s", name)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
				t.Errorf("%s has a %T", name, n)
			case *ast.UnaryExpr:
				require.NotEqual(t, token.ARROW, n.Op, "%s receives from a channel", name)
			case *ast.MapType:
				t.Errorf("%s has a map, whose order is random", name)
			}
			return true
		})
	}
}

// TestD1_OnlyClockTouchesTheClock: no package but clock has a use of package time that
// reads the clock or waits for it.
func TestD1_OnlyClockTouchesTheClock(t *testing.T) {
	forbidden := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
	files := 0
	for _, pkg := range []string{"bucket", "retry", "events", "scheduler"} {
		require.NoError(t, filepath.WalkDir("../"+pkg, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			ast.Inspect(parse(t, path), func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(forbidden, sel.Sel.Name) {
						t.Errorf("%s uses time.%s: take the time from the clock that was given", path, sel.Sel.Name)
					}
				}
				return true
			})
			return nil
		}))
	}
	require.Greater(t, files, 20)
}

// TestFloors: an import only ever points down, and what users import of this module
// needs nothing but the standard library.
func TestFloors(t *testing.T) {
	floor := map[string]int{"/clock": 1, "/clock/clocktest": 1, "/bucket": 1, "/retry": 1, "/events": 1, "/scheduler": 2}
	seen := 0
	for _, pkg := range goList(t, "./...") {
		path := strings.TrimPrefix(pkg.ImportPath, module)
		require.Contains(t, floor, path, "a new package wants a floor")
		seen++
		for _, imp := range pkg.Imports {
			below, ours := strings.CutPrefix(imp, module)
			switch {
			case ours && path == "/clock/clocktest":
				require.Equal(t, "/clock", below)
			case ours:
				require.Less(t, floor[below], floor[path], "%s imports %s", path, below)
			case path != "/clock/clocktest":
				require.NotContains(t, strings.Split(imp, "/")[0], ".", "%s imports %s, which is not of the standard library", path, imp)
			}
		}
	}
	require.Equal(t, len(floor), seen)
}

type listed struct {
	ImportPath string
	Imports    []string
}

func goList(t *testing.T, pattern string) []listed {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", pattern)
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var pkg listed
		require.NoError(t, dec.Decode(&pkg))
		all = append(all, pkg)
	}
	return all
}

func parse(t *testing.T, path string) *ast.File {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	return file
}
