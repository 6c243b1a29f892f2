package journal

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs a test's child process instead of the tests, if a test has started this one for that.
func TestMain(m *testing.M) {
	if child := children[os.Getenv(childName)]; child != nil {
		child()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// childName is the environment variable that says which child a process is, and childPath that with its file.
const childName, childPath = "JOURNAL_CHILD", "JOURNAL_FILE"

var children = map[string]func(){}
