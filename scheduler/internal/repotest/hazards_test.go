package repotest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHazardsHaveTests checks hazards.md. It has a row for each of H01 to H58, and later rows are
// in order. Every test that it names exists, and every test named for a hazard is in that hazard's
// row.
func TestHazardsHaveTests(t *testing.T) {
	doc := read(t, "scheduler/hazards.md")
	rows, last := map[string]string{}, 0
	for _, m := range regexp.MustCompile(`(?m)^\| (H\d+) \|.*$`).FindAllStringSubmatch(doc, -1) {
		require.NotContains(t, rows, m[1], "two rows")
		number, err := strconv.Atoi(m[1][1:])
		require.NoError(t, err)
		require.Less(t, last, number, "in order")
		rows[m[1]], last = m[0], number
	}
	for n := range 58 {
		require.Contains(t, rows, fmt.Sprintf("H%02d", n+1))
	}

	exists := existingTests(t)
	for name := range exists {
		for _, hazard := range regexp.MustCompile(`H\d+_`).FindAllString(name, -1) {
			if hazard = strings.TrimSuffix(hazard, "_"); !strings.Contains(rows[hazard], "`"+name+"`") {
				t.Errorf("%s is not in the row of %s", name, hazard)
			}
		}
	}
	named := testNames.FindAllStringSubmatch(doc, -1)
	require.Greater(t, len(named), 100)
	for _, m := range named {
		if !exists[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
}

// TestHazardRowsNameATest checks that each row names a test or a target of the Makefile, or says
// why the hazard does not apply.
func TestHazardRowsNameATest(t *testing.T) {
	doc := read(t, "scheduler/hazards.md")
	makefile := read(t, "Makefile")
	for _, row := range regexp.MustCompile(`(?m)^\| H\d+ \|.*$`).FindAllString(doc, -1) {
		targets := regexp.MustCompile("`make ([a-z0-9-]+)").FindAllStringSubmatch(row, -1)
		for _, target := range targets {
			require.Contains(t, makefile, "\n"+target[1]+": ", row)
		}
		if targets == nil && !strings.Contains(row, "not applicable: ") {
			require.Regexp(t, "`[a-z]+\\.Test\\w+`", row)
		}
	}
}
