package journal

import (
	"fmt"
	"runtime/debug"

	"example.com/fairlead/scheduler"
)

// progress tells a user's function how far Open is. It does not call it again after a panic, which it keeps in err.
type progress struct {
	user func(done, total int64)
	err  error
}

func (p *progress) tell(done, total int64) {
	if p.user == nil || p.err != nil {
		return
	}
	returned := make(chan error)
	go func() { // so that a runtime.Goexit does not end Open
		err := scheduler.ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				err = &scheduler.PanicError{In: "Progress", Value: v, Stack: debug.Stack()}
			}
			returned <- err
		}()
		p.user(done, total)
		err = nil
	}()
	if err := <-returned; err != nil {
		p.err = fmt.Errorf("journal: Config.Progress: %w", err)
	}
}

// tell reports the progress of the second pass of Open, which resumes the calls. The survey is the first pass.
func (c *contents) tell(resumed, all int) error {
	p := c.file.options.progress
	if p == nil {
		return nil
	}
	if all > 0 {
		p.tell(int64((1+float64(resumed)/float64(all))/2*float64(c.size)), c.size)
	}
	return p.err
}
