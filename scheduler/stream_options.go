package scheduler

// DefaultLookAhead is the default of [LookAhead].
const DefaultLookAhead = 1024

// MaxLookAhead is the largest [LookAhead], since room for that many results is allocated at once.
const MaxLookAhead = 1 << 24

// StreamOption is an option of [Stream]. It is an [Option], for each of its calls, or one of [Ordered],
// [LookAhead], [Parallel], [StopOnError] and [OptionsFor].
type StreamOption interface {
	addTo(*streamOptions)
}

// streamOptions collects the options of a Stream.
type streamOptions struct {
	opts        []Option // of each call
	ordered     bool
	lookAhead   int
	limited     bool // parallel is set
	parallel    int
	stopOnError bool
	optionsFor  any // func(In) []Option
}

func (opt Option) addTo(o *streamOptions) { o.opts = append(o.opts, opt) }

// streamOption is an option that a single call does not have.
type streamOption func(*streamOptions)

func (opt streamOption) addTo(o *streamOptions) { opt(o) }

// Ordered makes [Stream] yield results in the order of their inputs. A result waits for those
// before it, and counts for [LookAhead] meanwhile.
func Ordered() StreamOption {
	return streamOption(func(o *streamOptions) { o.ordered = true })
}

// LookAhead bounds the inputs that [Stream] has read and whose results were not taken yet. It
// must be from 1 to [MaxLookAhead].
func LookAhead(n int) StreamOption {
	return streamOption(func(o *streamOptions) { o.lookAhead = n })
}

// Parallel bounds how many functions of one loop over [Stream] run at once. n must be at least 1. Without
// Parallel, [LookAhead] and [Config.MaxInFlight] are the only bounds.
//
// An input whose call is queued or runs has one of n places. So no token is taken for a call that may not
// run, and no other call of the scheduler waits for the stream. A call that backs off, or that arrives
// later ([NotBefore]), has no place meanwhile. Then it waits for one, ahead of inputs that have not been
// submitted. This wait counts as backoff or later. A result that is ready has no place, but still
// counts for LookAhead.
func Parallel(n int) StreamOption {
	return streamOption(func(o *streamOptions) { o.limited, o.parallel = true, n })
}

// StopOnError makes [Stream] stop at the first error of a result. Without it an error concerns one input,
// and the others go on. An attempt that is retried has no result yet, so its error does not count.
//
// Stream then reads no more inputs, ends the calls that wait with a [StoppedError], and cancels the
// contexts of functions that run, with that error as the cause. All inputs that were read have their
// results. Without [Ordered] the first result with an error is the one that has stopped the others. In
// either order errors.As finds a StoppedError, with that result's index and error, in the results of
// calls that were ended. A function that returns nil in spite of its context has a result
// without an error.
func StopOnError() StreamOption {
	return streamOption(func(o *streamOptions) { o.stopOnError = true })
}

// OptionsFor gives each input of [Stream] its own options, such as its cost, in addition to those
// of all inputs. In must be the type of Stream's inputs.
func OptionsFor[In any](f func(In) []Option) StreamOption {
	return streamOption(func(o *streamOptions) { o.optionsFor = f })
}
