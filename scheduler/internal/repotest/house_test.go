package repotest

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTopFolders checks that no folder is added beside the seven at the top.
func TestTopFolders(t *testing.T) {
	var tops []string
	for _, path := range files(t, ".go") {
		top, _, _ := strings.Cut(path, "/")
		tops = append(tops, top)
	}
	require.Equal(t, []string{"bench", "bucket", "clock", "events", "examples", "retry", "scheduler"}, slices.Compact(tops))
}

// TestD1_OnlyClockTouchesTheClock checks that no library package but clock uses a function of package time that reads
// the clock or waits for it.
func TestD1_OnlyClockTouchesTheClock(t *testing.T) {
	libraries(t, func(path string, file *ast.File) {
		if strings.HasPrefix(path, "clock/") {
			return
		}
		uses(file, "time", func(name string) {
			if readsClock(name) {
				t.Errorf("%s uses time.%s: take the time from the configured clock", path, name)
			}
		})
	})
}

// readsClock reports whether a function of package time reads the clock or waits for it.
func readsClock(name string) bool {
	return slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}, name)
}

// TestH22_NoChannelOfTheUsers checks that no exported function takes a channel, which its user could close, and that
// exported fields are channels to receive from.
func TestH22_NoChannelOfTheUsers(t *testing.T) {
	libraries(t, func(path string, file *ast.File) {
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

// TestH55_AtomicsAreTypes checks that 64-bit atomics are types like atomic.Int64. On 32 bits a plain int64 is not
// always aligned for atomic.AddInt64.
func TestH55_AtomicsAreTypes(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		uses(file, "atomic", func(name string) {
			if strings.HasSuffix(name, "64") && name != "Int64" && name != "Uint64" {
				t.Errorf("%s uses atomic.%s", path, name)
			}
		})
	})
}

// TestH20_EveryPackageLooksForLeaks checks that each library package, and each example with tests, has a TestMain that
// fails if goroutines are left. The benchmarks and Temporal's server run other libraries, which leave some.
func TestH20_EveryPackageLooksForLeaks(t *testing.T) {
	looks := map[string]bool{}
	tests(t, func(file string, f *ast.File) {
		dir := path.Dir(file)
		looks[dir] = looks[dir] || strings.HasPrefix(dir, "bench") || dir == "examples/engines/temporal"
		uses(f, "goleak", func(name string) {
			looks[dir] = looks[dir] || name == "VerifyTestMain"
		})
	})
	for _, pkg := range packages(t) {
		if looked, tested := looks[pkg.dir]; !looked && (tested || isLibrary(pkg.dir)) && pkg.dir != "scheduler/internal/observer" {
			t.Errorf("%s has no TestMain that looks for leaks", pkg.dir)
		}
	}
}

// TestH57_NothingIsPolled checks that no test uses Eventually, which leaks a goroutine and may pass or fail by chance.
// Tests wait in a bubble, for a channel, or for Sync.
func TestH57_NothingIsPolled(t *testing.T) {
	tests(t, func(path string, file *ast.File) {
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
}

// TestSkips checks that no test is skipped but where it is known.
func TestSkips(t *testing.T) {
	known := map[string]string{ // by function, and why
		"TestInterleavings":             "rapid draws another action",
		"TestWaitingKeepsTheFirstStack": "the race detector has larger frames",
		"TestH72_NoRoom":                "needs a device that is full",
		"TestCtrlC":                     "needs signals",
		"needRedis":                     "needs redis-server",
		"newPane":                       "needs tmux, which CI has",
		"TestFailingSync":               "needs strace, which CI has",
		"TestOpenSyncsAfterACrash":      "likewise",
		"smallDisk":                     "needs to mount one",
		"executable":                    "needs Chromium, which CI has",
		"skipOrFail":                    "needs servers that make proof installs",
	}
	seen := map[string]bool{}
	tests(t, func(path string, file *ast.File) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			uses(f, "t", func(name string) {
				if strings.HasPrefix(name, "Skip") {
					seen[f.Name.Name] = true
					if known[f.Name.Name] == "" {
						t.Errorf("%s: %s skips a test", path, f.Name)
					}
				}
			})
		}
	})
	for name := range known {
		require.True(t, seen[name], "%s skips no test: remove it from the list", name)
	}
}
