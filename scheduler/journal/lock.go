package journal

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/fairlead/clock"
)

// lockFile is a file beside the journal's that one process at a time has locked. The journal's file itself may be
// replaced by a smaller or a repaired one, so it can't be the one that is locked.
type lockFile struct{ file *os.File }

var errLocked = errors.New("locked")

// lock locks the lock file of a path, and waits up to the given time for another process to release it. Its error
// names that process.
func lock(path string, c clock.Clock, wait time.Duration) (*lockFile, error) {
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const pause = 20 * time.Millisecond
	again := c.NewTimer(0)
	defer again.Stop()
	for err = tryLock(file); errors.Is(err, errLocked) && wait > 0; err = tryLock(file) {
		again.Reset(min(wait, pause))
		<-again.C()
		wait -= pause
	}
	if errors.Is(err, errLocked) {
		holder := ""
		if b, _ := os.ReadFile(path + ".lock"); len(b) > 0 {
			holder = ", process " + strings.TrimSpace(string(b))
		}
		err = fmt.Errorf("another journal has it open%s: a file belongs to one process at a time", holder)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// Only the error of another process reads it, so a failure to write it does not matter.
	if file.Truncate(0) == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &lockFile{file}, nil
}

// release unlocks the file, and leaves it there. If it were removed, two processes could lock different files. Closing it
// would not always be enough: a process that this one starts has the file open, too, until it runs its program.
func (l *lockFile) release() error { return errors.Join(unlock(l.file), l.file.Close()) }
