package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	tableBegins = "<!-- written by go run . -write: from here -->"
	tableEnds   = "<!-- to here -->"
	readme      = "README.md"
)

// table returns the results of a suite's tests in Markdown.
func (s *suite) table(rows []test) string {
	count := map[verdict]int{}
	for _, t := range rows {
		count[t.verdict]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %d pass, %d fail, %d left out\n\n| test | | why |\n|---|---|---|\n", s.pkg(), count[passes], count[fails], count[leftOut])
	for _, t := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", t.name, t.verdict, t.why)
	}
	return b.String()
}

// withTables returns the text with the listed results in its tables.
func withTables(text string) (string, error) {
	head, rest, ok := strings.Cut(text, tableBegins)
	_, tail, ok2 := strings.Cut(rest, tableEnds)
	if !ok || !ok2 {
		return "", fmt.Errorf("%s: the lines %q and %q must be in it, in this order", readme, tableBegins, tableEnds)
	}
	var b strings.Builder
	b.WriteString(head + tableBegins + "\n")
	for i := range suites {
		b.WriteString("\n" + suites[i].table(suites[i].tests))
	}
	b.WriteString("\n" + tableEnds + tail)
	return b.String(), nil
}

func writeReadme() error {
	old, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	renewed, err := withTables(string(old))
	if err != nil {
		return err
	}
	return os.WriteFile(readme, []byte(renewed), 0o644)
}
