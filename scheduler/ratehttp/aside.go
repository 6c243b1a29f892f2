package ratehttp

// outcome is what a read on a goroutine of its own has come to.
type outcome struct {
	n        int
	err      error
	panicked any
}

// aside calls read on a goroutine of its own, which sends the outcome, even if read panics, and ends.
func aside(read func() (int, error)) <-chan outcome {
	over := make(chan outcome, 1)
	go func() {
		o := outcome{err: errUnwound} // in case read calls runtime.Goexit
		defer func() {
			o.panicked = recover()
			over <- o
		}()
		o.n, o.err = read()
	}()
	return over
}
