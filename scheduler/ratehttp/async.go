package ratehttp

// readResult is the result of a read on a goroutine of its own.
type readResult struct {
	n        int
	err      error
	panicked any
}

// async calls read on a goroutine of its own, which sends the result and ends, even if read panics.
func async(read func() (int, error)) <-chan readResult {
	done := make(chan readResult, 1)
	go func() {
		o := readResult{err: errUnwound} // in case read calls runtime.Goexit
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.n, o.err = read()
	}()
	return done
}
