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

// TestCoreIsPure checks that the files of the core have no goroutine, channel, map or import with
// which they could read a clock, take a lock or draw a random number.
func TestCoreIsPure(t *testing.T) {
	allowed := []string{"math", "slices", "sort", "time", module + "/bucket", module + "/events", module + "/retry"}
	for _, name := range []string{"core.go", "admit.go", "budgets.go", "adaptive.go", "plan.go", "handover.go", "deadlock.go", "outcome.go", "core_fastpath.go", "queue.go", "aggregate.go", "backoff.go", "calllist.go", "snapshot.go"} {
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

// TestD1_OnlyClockTouchesTheClock checks that no package but clock uses a function of package time
// that reads the clock or waits for it.
func TestD1_OnlyClockTouchesTheClock(t *testing.T) {
	forbidden := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
	sources(t, func(path string, file *ast.File) {
		if strings.HasPrefix(path, "../clock/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(forbidden, sel.Sel.Name) {
					t.Errorf("%s uses time.%s: take the time from the configured clock", path, sel.Sel.Name)
				}
			}
			return true
		})
	})
}

// TestFloors checks that imports only point down, and that users of this module need nothing but
// the standard library.
func TestFloors(t *testing.T) {
	floor := map[string]int{
		"/events/internal/safetext": 0, "/clock": 1, "/clock/clocktest": 1, "/bucket": 1, "/retry": 1, "/events": 1,
		"/retry/headers": 2, "/events/timeline": 2, "/scheduler": 2,
		"/scheduler/adapters": 3, "/scheduler/adapters/hashicorp": 3, "/scheduler/ratehttp": 3, "/scheduler/stats": 3,
	}
	seen := 0
	for _, pkg := range goList(t, "./...") {
		path := strings.TrimPrefix(pkg.ImportPath, module)
		require.Contains(t, floor, path, "the new package needs a floor")
		seen++
		for _, imp := range pkg.Imports {
			below, ours := strings.CutPrefix(imp, module)
			switch {
			case ours && path == "/clock/clocktest":
				require.Equal(t, "/clock", below)
			case ours:
				require.Less(t, floor[below], floor[path], "%s imports %s", path, below)
			case path != "/clock/clocktest":
				require.NotContains(t, strings.Split(imp, "/")[0], ".", "%s imports %s, which is not in the standard library", path, imp)
			}
		}
	}
	require.Equal(t, len(floor), seen)
}

// sources calls f for every Go file, without tests, of the packages that users import.
func sources(t *testing.T, f func(path string, file *ast.File)) {
	files := 0
	for _, pkg := range []string{"clock", "bucket", "retry", "events", "scheduler"} {
		require.NoError(t, filepath.WalkDir("../"+pkg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files++
				f(path, parse(t, path))
			}
			return err
		}))
	}
	require.Greater(t, files, 30)
}

// tests calls f for every test file of every module.
func tests(t *testing.T, f func(path string, file *ast.File)) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			f(path, parse(t, path))
		}
		return err
	}))
}

// TestH22_NoChannelOfTheUsers checks that no exported function takes a channel, which its user
// could close, and that exported fields are channels to receive from.
func TestH22_NoChannelOfTheUsers(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.IsExported() {
					ast.Inspect(n.Type.Params, func(p ast.Node) bool {
						if _, is := p.(*ast.ChanType); is {
							t.Errorf("%s: %s takes a channel", path, n.Name)
						}
						return true
					})
				}
				return false
			case *ast.Field:
				ch, is := n.Type.(*ast.ChanType)
				if is && len(n.Names) > 0 && n.Names[0].IsExported() && ch.Dir != ast.RECV {
					t.Errorf("%s: %s can be sent on and closed", path, n.Names[0])
				}
			}
			return true
		})
	})
}

// TestH55_AtomicsAreTypes checks that 64-bit atomics are types like atomic.Int64. On 32 bits a
// plain int64 is not always aligned for atomic.AddInt64.
func TestH55_AtomicsAreTypes(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "atomic" && strings.HasSuffix(sel.Sel.Name, "64") {
					require.Contains(t, []string{"Int64", "Uint64"}, sel.Sel.Name, path)
				}
			}
			return true
		})
	})
}

// TestH20_EveryPackageLooksForLeaks checks that each package has a TestMain that fails if
// goroutines are left.
func TestH20_EveryPackageLooksForLeaks(t *testing.T) {
	looks := map[string]bool{}
	tests(t, func(path string, file *ast.File) {
		dir, _ := filepath.Rel("..", filepath.Dir(path))
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "TestMain" {
				ast.Inspect(f, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					looks[dir] = looks[dir] || ok && sel.Sel.Name == "VerifyTestMain"
					return true
				})
			}
		}
	})
	for _, pkg := range goList(t, "./...") {
		dir := strings.TrimPrefix(pkg.ImportPath, module+"/")
		require.True(t, looks[dir], "%s has no TestMain that looks for leaks", dir)
	}
}

// TestH57_NothingIsPolled checks that no test uses Eventually, which leaks a goroutine and may pass
// or fail by chance. Tests wait in a bubble, for a channel, or for Sync.
func TestH57_NothingIsPolled(t *testing.T) {
	files := 0
	tests(t, func(path string, file *ast.File) {
		files++
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				for _, polls := range []string{"Eventually", "Never"} {
					if strings.HasPrefix(sel.Sel.Name, polls) {
						t.Errorf("%s uses %s", path, sel.Sel.Name)
					}
				}
			}
			return true
		})
	})
	require.Greater(t, files, 60)
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
