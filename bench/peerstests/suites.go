package main

// suite is a package of a peer, and what its tests are expected to do on Fairlead.
type suite struct {
	module string
	folder string   // of the package in the module
	shim   string   // the folder of ours that takes the package's place
	flags  []string // of go test
	tests  []test
}

type test struct {
	name    string
	verdict verdict
	why     string // it does not pass
}

type verdict string

const (
	passes  verdict = "passes"
	fails   verdict = "fails"    // run, and must fail
	leftOut verdict = "left out" // not run, or could not be compiled
)

func (s *suite) leavesOut(name string) bool {
	for _, t := range s.tests {
		if t.name == name {
			return t.verdict == leftOut
		}
	}
	return isBenchmark(name)
}

// Why tests fail.
const (
	givesAllBack = "Fairlead gives back all that was reserved. The peer keeps as much as it has promised to those behind, whom it can't tell. " +
		"In a scheduler they move up instead."
	timeGoesOn = "The test goes back in time, and then forward again. To a bucket an instant before the latest one is that one; " +
		"the peer refills the same interval twice."
	noInfinity  = "Fairlead has no limit that limits nothing: such calls need no scheduler."
	otherJitter = "The peer's jitter makes waits longer only, and what it adds to one is doubled in the next. Fairlead's goes both ways around the wait without it."
)

// Why tests are left out.
const (
	notOfLimits = "It is about the peer's type for rates. None of it reaches Fairlead."
	noLimiter   = "It is about a limiter of the peer's that limits nothing, or lets nothing through. None of it reaches Fairlead."
	sometimes   = "It is about a function that is run now and then, with no limiter. Fairlead has no such thing."
	noKeys      = "It looks into the peer's map of keys that failed, by the name of the field. With Fairlead failures belong to a call, and end with it."
)

var suites = []suite{
	{module: "golang.org/x/time", folder: "rate", shim: "rate", tests: []test{
		{"TestCancel0Tokens", fails, givesAllBack},
		{"TestCancel1Token", fails, givesAllBack},
		{"TestCancelInvalid", passes, ""},
		{"TestCancelLast", passes, ""},
		{"TestCancelMulti", fails, givesAllBack},
		{"TestCancelTooLate", passes, ""},
		{"TestLimiterBurst1", passes, ""},
		{"TestLimiterBurst3", passes, ""},
		{"TestLimiterJumpBackwards", fails, timeGoesOn},
		{"TestLimiter_noTruncationErrors", passes, ""},
		{"TestLongRunningQPS", passes, ""},
		{"TestMix", passes, ""},
		{"TestReserveJumpBack", fails, timeGoesOn},
		{"TestReserveJumpBackCancel", passes, ""},
		{"TestReserveMax", passes, ""},
		{"TestReserveSetBurst", fails, timeGoesOn},
		{"TestReserveSetLimit", passes, ""},
		{"TestReserveSetLimitCancel", passes, ""},
		{"TestSetAfterZeroLimit", passes, ""},
		{"TestSimpleReserve", passes, ""},
		{"TestSimultaneousRequests", passes, ""},
		{"TestTinyLimit", passes, ""},
		{"TestWaitCancel", passes, ""},
		{"TestWaitInf", fails, noInfinity},
		{"TestWaitSimple", passes, ""},
		{"TestWaitTimeout", passes, ""},
		{"TestZeroLimit", passes, ""},
		{"TestEvery", leftOut, notOfLimits},
		{"TestLimit", leftOut, notOfLimits},
		{"TestSometimesZero", leftOut, sometimes},
		{"TestSometimesMax", leftOut, sometimes},
		{"TestSometimesNegative", leftOut, sometimes},
		{"ExampleSometimes_once", leftOut, sometimes},
		{"ExampleSometimes_first", leftOut, sometimes},
		{"ExampleSometimes_every", leftOut, sometimes},
		{"ExampleSometimes_interval", leftOut, sometimes},
		{"ExampleSometimes_mix", leftOut, sometimes},
	}},
	// Its mock clock gives goroutines a millisecond to get where they have to be: on one
	// processor they are there.
	{module: "go.uber.org/ratelimit", shim: "ratelimit", flags: []string{"-cpu=1"}, tests: []test{
		{"Example_default", passes, ""},
		{"Example_withoutSlack", passes, ""},
		{"TestDelayedRateLimiter", passes, ""},
		{"TestInitial", passes, ""},
		{"TestMaxSlack", passes, ""},
		{"TestPer", passes, ""},
		{"TestRateLimiter", passes, ""},
		{"TestSlack", passes, ""},
		{"TestUnlimited", leftOut, noLimiter},
	}},
	{module: "k8s.io/client-go", folder: "util/flowcontrol", shim: "flowcontrol", tests: []test{
		{"TestAlternateHasExpiredFunc", passes, ""},
		{"TestBackoffHighWaterMark", passes, ""},
		{"TestBackoffReset", passes, ""},
		{"TestBackoffWithJitter", fails, otherJitter},
		{"TestBasicThrottle", passes, ""},
		{"TestIncrementThrottle", passes, ""},
		{"TestIsInBackOffSinceUpdate", passes, ""},
		{"TestMultithreadedThrottling", passes, ""},
		{"TestRatePrecisionBug", passes, ""},
		{"TestSlowBackoff", passes, ""},
		{"TestThrottle", passes, ""},
		{"TestWait", passes, ""},
		{"TestAlternateBackoffGC", leftOut, noKeys},
		{"TestBackoffGC", leftOut, noKeys},
		{"TestAlwaysFake", leftOut, noLimiter},
		{"TestNeverFake", leftOut, noLimiter},
	}},
}
