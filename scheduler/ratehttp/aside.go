package ratehttp

// outcome is the result of a read on a goroutine of its own.
type outcome struct {
	n        int
	err      error
	panicked any
}

// aside calls read on a goroutine of its own, which sends the outcome and ends, even if read panics.
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
