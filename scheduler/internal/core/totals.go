package core

// Totals count calls and attempts since the core was made. Each accepted call that is not here or
// running by the fast path has ended in one of the ways from Succeeded to Closed.
type Totals struct {
	Accepted  uint64 // accepted calls
	Succeeded uint64 // ended with nil; those that run by the fast path count already
	Failed    uint64 // ended with an error that is not retried, or a cost above a lowered capacity
	Exhausted uint64 // ended because retries or MaxElapsed ran out, or a server's wait was too long
	Canceled  uint64 // ended by their caller or their deadline
	Dropped   uint64 // ended to make room for others
	Closed    uint64 // ended by close while they waited
	Refused   uint64 // not accepted

	Attempts    uint64 // grants whose function was started
	Retries     uint64 // those of them that were not a call's first
	RateLimited uint64 // attempts that failed with a rate-limit error
}

// Ended returns how many accepted calls have ended.
func (t Totals) Ended() uint64 {
	return t.Succeeded + t.Failed + t.Exhausted + t.Canceled + t.Dropped + t.Closed
}
