package repotest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests in the folder of the repository, so that they name files as the documents do.
func TestMain(m *testing.M) {
	if err := os.Chdir("../../.."); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
