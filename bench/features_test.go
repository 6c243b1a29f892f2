package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var rewrite = flag.Bool("rewrite", false, "write the table of features into features.md, to be read in the diff")

// mark says how much of a feature a library has.
type mark int

const (
	no mark = iota
	partly
	yes
)

func (m mark) String() string { return [...]string{"–", "(✓)", "✓"}[m] }

// proof looks at a library, runs it where that can show anything, and returns the mark
// that it has earned. It runs in a bubble, so its time is virtual and exact.
type proof func(t *testing.T) mark

// cell is a field of the table, for one library, with its proof. The note says how, or
// what is missing.
type cell struct {
	mark  mark
	note  string
	shown proof
}

// row is a row of the table, with a cell for each of columns.
type row struct {
	name  string
	cells [6]cell
}

var columns = [6]string{"Fairlead", "x/time/rate + backoff", "uber", "failsafe-go", "client-go", "aws-sdk-go-v2"}

// modules are those that the columns are about, in that order.
var modules = []string{
	"golang.org/x/time", "github.com/cenkalti/backoff/v5", "go.uber.org/ratelimit",
	"github.com/failsafe-go/failsafe-go", "k8s.io/client-go", "github.com/aws/aws-sdk-go-v2",
}

func allRows() []row {
	return slices.Concat(tokenFeatures, waitFeatures, retryFeatures, queueFeatures, keyFeatures, sharedFeatures, crashFeatures, peersFeatures)
}

// TestFeatures: every mark in the table is the one that its library earns, neither more
// nor less: so a new version that can do more, or less, fails here.
func TestFeatures(t *testing.T) {
	apis() // asks the go command, which is not for a bubble
	for _, f := range allRows() {
		for i, c := range f.cells {
			t.Run(f.name+"/"+columns[i], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.prove(t) })
			})
		}
	}
}

// prove fails the test if the mark is not the one that the library earns.
func (c cell) prove(t *testing.T) {
	if got := c.shown(t); got != c.mark && !t.Failed() {
		t.Errorf("has earned %v, and the table says %v", got, c.mark)
	}
	if c.mark == partly && c.note == "" {
		t.Errorf("%v wants a note on what is missing", c.mark)
	}
}

// The lines around a table, by its name.
const (
	tableFrom = "<!-- %s: from here -->\n"
	tableTo   = "<!-- %s: to here -->\n"
)

// TestFeaturesInDocument: the table in features.md is the one that TestFeatures proves. To write
// it: go test . -run TestFeaturesInDocument -rewrite
func TestFeaturesInDocument(t *testing.T) {
	const path = "features.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	is, want := string(text), string(text)
	for name, table := range map[string]string{"features": featureTable(t), "fleets": narrowTable(t, fleetColumns, fleetFeatures, fleetModules), "journals": narrowTable(t, journalColumns, journalFeatures, journalModules)} {
		from, to := fmt.Sprintf(tableFrom, name), fmt.Sprintf(tableTo, name)
		before, rest, found := strings.Cut(want, from)
		_, after, ended := strings.Cut(rest, to)
		if !found || !ended {
			t.Fatalf("%s lacks the lines %s and %s", path, strings.TrimSpace(from), strings.TrimSpace(to))
		}
		want = before + from + table + to + after
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if is != want {
		t.Errorf("%s has other tables than features_*_test.go: run this test with -rewrite and read the diff. It wants\n%s", path, want)
	}
}

func featureTable(t *testing.T) string {
	var names []string
	var cells [][]cell
	for _, f := range allRows() {
		names, cells = append(names, f.name), append(cells, f.cells[:])
	}
	return tableOfCells(columns[:], names, cells, versionsOf(t, modules))
}

func narrowTable(t *testing.T, columns [3]string, rows []narrowRow, modules []string) string {
	var names []string
	var cells [][]cell
	for _, f := range rows {
		names, cells = append(names, f.name), append(cells, f.cells[:])
	}
	return tableOfCells(columns[:], names, cells, versionsOf(t, modules))
}

// tableOfCells is a table with its notes, numbered as they come, and the versions.
func tableOfCells(columns, names []string, cells [][]cell, versions []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat(":-:|", len(columns)))
	var notes []string
	for i, name := range names {
		b.WriteString("| " + name)
		for _, c := range cells[i] {
			fmt.Fprintf(&b, " | %v", c.mark)
			if c.note == "" {
				continue
			}
			i := slices.Index(notes, c.note)
			if i < 0 {
				i = len(notes)
				notes = append(notes, c.note)
			}
			fmt.Fprintf(&b, "<sup>%d</sup>", i+1)
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\n")
	for i, n := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, n)
	}
	fmt.Fprintf(&b, "\nVersions: %s.\n\n", strings.Join(versions, ", "))
	return b.String()
}

func versionsOf(t *testing.T, modules []string) (versions []string) {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		found := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(m) + ` (v\S+)`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("go.mod has no %s", m)
		}
		versions = append(versions, m+" "+string(found[1]))
	}
	return versions
}
