package main

// suite is a package of a peer, and the expected results of its tests on Fairlead.
type suite struct {
	module string
	folder string   // of the package in the module
	shim   string   // folder of our implementation
	flags  []string // of go test
	tests  []test
}

type test struct {
	name    string
	verdict verdict
	why     string // empty if it passes
}

type verdict string

const (
	passes  verdict = "passes"
	fails   verdict = "fails"    // is run, and must fail
	leftOut verdict = "left out" // is not run, or does not compile
)

func (s *suite) leavesOut(name string) bool {
	for _, t := range s.tests {
		if t.name == name {
			return t.verdict == leftOut
		}
	}
	return isBenchmark(name)
}

// Reasons why tests fail.
const (
	givesAllBack = "Fairlead gives back all reserved tokens. The peer keeps as many as it has promised to later reservations, since it can't tell these. " +
		"In a scheduler, later calls move up instead."
	timeGoesOn = "The test goes back in time, and then forward again. A bucket takes an earlier instant for the latest one, " +
		"and the peer refills the same interval twice."
	noInfinity  = "Fairlead has no infinite limit, since calls without a limit need no scheduler."
	otherJitter = "The peer's jitter only makes waits longer, and what it adds to one is doubled in the next. Fairlead's makes waits longer or shorter."
)

// Reasons why tests are left out.
const (
	notOfLimits = "It tests the peer's type for rates, and does not reach Fairlead."
	noLimiter   = "It tests a limiter of the peer that allows everything or nothing, and does not reach Fairlead."
	sometimes   = "It tests a function that runs now and then, without a limiter. Fairlead has none."
	noKeys      = "It reads a field of the peer, its map of failed keys. In Fairlead failures belong to a call, and end with it."
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
	// Its mock clock gives goroutines a millisecond to block, which is enough on one processor.
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
