package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// passingSuite returns a suite, and a run in which all tests are as listed.
func passingSuite() (*suite, inventory, map[string]result) {
	s := &suite{module: "m", tests: []test{
		{"TestA", passes, ""}, {"TestB", fails, "because"}, {"TestC", leftOut, "because"},
	}}
	found := inventory{"TestA": true, "TestB": true, "TestC": false, "BenchmarkD": false}
	return s, found, map[string]result{"TestA": {action: "pass"}, "TestB": {action: "fail"}}
}

func TestJudge(t *testing.T) {
	s, found, results := passingSuite()
	rows, err := s.compare(found, results)
	require.NoError(t, err)
	require.Equal(t, s.tests, rows)
}

func TestJudgeFindsWhatIsNotAsListed(t *testing.T) {
	for _, tc := range []struct {
		fault   string
		spoil   func(*suite, inventory, map[string]result)
		verdict verdict // listed for TestA
	}{
		{`TestA is listed with "passes": fails`, func(_ *suite, _ inventory, r map[string]result) {
			r["TestA"] = result{action: "fail", output: "it is broken"}
		}, fails},
		{"it is broken", func(_ *suite, _ inventory, r map[string]result) {
			r["TestA"] = result{action: "fail", output: "it is broken"}
		}, fails},
		{`TestB is listed with "fails": passes`, func(_ *suite, _ inventory, r map[string]result) {
			r["TestB"] = result{action: "pass"}
		}, passes},
		{`TestA is listed with "passes": did not end`, func(_ *suite, _ inventory, r map[string]result) {
			r["TestA"] = result{}
		}, "did not end"},
		{`TestB is listed with "fails": did not end`, func(_ *suite, _ inventory, r map[string]result) {
			delete(r, "TestB")
		}, passes},
		{`TestA is listed with "passes": did not end`, func(_ *suite, _ inventory, r map[string]result) {
			r["TestA"] = result{action: "skip"}
		}, "did not end"},
		{`TestA is listed with "passes": not found`, func(_ *suite, f inventory, _ map[string]result) {
			delete(f, "TestA")
		}, "not found"},
		{`TestC is listed with "left out": not found`, func(_ *suite, f inventory, _ map[string]result) {
			delete(f, "TestC")
		}, passes},
		{"TestNew is not listed", func(_ *suite, f inventory, _ map[string]result) {
			f["TestNew"] = true
		}, passes},
		{"TestA is listed twice", func(s *suite, _ inventory, _ map[string]result) {
			s.tests = append(s.tests, test{"TestA", passes, ""})
		}, passes},
		{"TestB needs a reason", func(s *suite, _ inventory, _ map[string]result) {
			s.tests[1].why = ""
		}, passes},
	} {
		s, found, results := passingSuite()
		tc.spoil(s, found, results)
		rows, err := s.compare(found, results)
		require.ErrorContains(t, err, tc.fault)
		require.Equal(t, tc.verdict, rows[0].verdict, tc.fault)
	}
}

func TestDisappointing(t *testing.T) {
	s, _, results := passingSuite()
	require.Empty(t, s.unexpectedFailures(results), "TestB is not to pass")
	results["TestA"] = result{action: "fail"}
	require.Equal(t, []string{"TestA"}, s.unexpectedFailures(results))
}

func TestParse(t *testing.T) {
	results, build := parse([]byte(`{"Action":"start","Package":"m"}
{"Action":"run","Package":"m","Test":"TestA"}
{"Action":"output","Package":"m","Test":"TestA","Output":"one\n"}
{"Action":"output","Package":"m","Test":"TestA/part","Output":"two\n"}
{"Action":"fail","Package":"m","Test":"TestA/part"}
{"Action":"pass","Package":"m","Test":"TestA"}
no JSON
{"Action":"run","Package":"m","Test":"TestB"}
{"Action":"pass","Package":"m","Test":"TestB/part"}
{"Action":"fail","Package":"m"}
`))
	require.Empty(t, build)
	require.Equal(t, map[string]result{"TestA": {action: "pass", output: "one\ntwo\n"}, "TestB": {}}, results)

	results, build = parse([]byte(`{"ImportPath":"m","Action":"build-output","Output":"undefined: x\n"}`))
	require.Empty(t, results)
	require.Equal(t, "undefined: x\n", build)
}
