package repotest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCoreIsPure checks that the files of the core have no goroutine, channel, map or import with
// which they could read a clock, take a lock or draw a random number.
func TestCoreIsPure(t *testing.T) {
	allowed := []string{"math", "slices", "sort", "time", module + "/bucket", module + "/events", module + "/retry"}
	for _, name := range []string{"core.go", "admit.go", "budgets.go", "adaptive.go", "plan.go", "handover.go", "deadlock.go", "outcome.go", "core_fastpath.go", "queue.go", "aggregate.go", "backoff.go", "calllist.go", "snapshot.go"} {
		file := parse(t, "scheduler/"+name)
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
