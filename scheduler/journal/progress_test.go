package journal

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// TestProgressPanics lets Progress panic and call Goexit in both passes of Open, with the file closed and left open by its
// process. Open says what has happened, and the file is as it was.
func TestProgressPanics(t *testing.T) {
	oops := errors.New("oops")
	for name, end := range map[string]func(){"panic": func() { panic(oops) }, "Goexit": runtime.Goexit} {
		for _, clean := range []bool{true, false} {
			path := inFolder(t)
			backlog(t, path, 3000)
			if !clean {
				f, _ := open(t, path, fileOptions{})
				require.NoError(t, f.commit(batch{}))
				require.NoError(t, f.close(false))
			}
			for part := range int64(2) {
				cfg := idle()
				told := 0
				cfg.Progress = func(done, total int64) {
					if told++; done*2 >= total*part {
						told = -1000 // it must not be called again
						end()
					}
				}
				_, err := Open(path, cfg)
				require.ErrorContains(t, err, "journal: Config.Progress: scheduler: ", name)
				require.NotErrorIs(t, err, errDamaged)
				require.Equal(t, name == "panic", errors.Is(err, oops))
				require.Equal(t, name == "Goexit", errors.Is(err, scheduler.ErrGoexit))
				require.Equal(t, -1000, told)
			}
			j := openJournal(t, path, idle())
			require.Equal(t, Report{Calls: 3000, Missing: map[string]int{}}, j.Report())
			require.NoError(t, j.Close(t.Context()))
			files, err := filepath.Glob(path + "*")
			require.NoError(t, err)
			require.Len(t, files, 2, "no other file")
		}
	}
}
