package main

import (
	"os"
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
