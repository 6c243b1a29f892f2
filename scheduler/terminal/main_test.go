package terminal

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(programEnv); address != "" {
		program(address)
		return
	}
	goleak.VerifyTestMain(m)
}
