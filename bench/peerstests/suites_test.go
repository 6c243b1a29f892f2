package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadmeHasTheTables(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	renewed, err := withTables(string(text))
	require.NoError(t, err)
	require.Equal(t, renewed, string(text), "go run . -write renews them")
}

func TestTablesNeedAPlace(t *testing.T) {
	for _, text := range []string{"", tableBegins, tableEnds, tableEnds + tableBegins} {
		_, err := withTables(text)
		require.ErrorContains(t, err, "must be in it")
	}
}

// TestPeersAreThoseOfTheBench checks that the benchmarks and the tests use the same versions of the peers.
func TestPeersAreThoseOfTheBench(t *testing.T) {
	ours, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	benchs, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	for _, s := range suites {
		version := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(s.module) + ` v.*$`)
		require.NotEmpty(t, version.FindString(string(ours)))
		require.Equal(t, version.FindString(string(benchs)), version.FindString(string(ours)))
	}
}
