package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const someTests = `package p_test

import "math"
import (
	"testing"
	clock "time" // renamed

	_ "embed"
	"example.org/path/p"
)

// TestKept is kept.
func TestKept(t *testing.T) { p.Do() }

type T struct{}

// TestGone is a method here.
func (T) TestGone() {}

// TestGone is not kept,
// and neither is this.
func TestGone(t *testing.T) {
	// nor this
	_ = math.Pi
	_ = clock.Second // été
}

func helper() {} // stays

func Example_gone() {
	// Output: x
}
`

func TestDrop(t *testing.T) {
	gone := func(name string) bool { return name == "TestGone" || name == "Example_gone" }
	kept, dropped, err := dropFunctions([]byte(someTests), gone)
	require.NoError(t, err)
	require.Equal(t, []string{"TestGone", "Example_gone"}, dropped)
	require.Equal(t, []string{"TestKept"}, tests(kept))

	_, err = parser.ParseFile(token.NewFileSet(), "", kept, 0)
	require.NoError(t, err)
	before, after := strings.Split(someTests, "\n"), strings.Split(string(kept), "\n")
	require.Len(t, after, len(before), "what is kept must stay on its lines")
	var cut []string
	for i, line := range after {
		if line != before[i] {
			require.Equal(t, strings.TrimSpace(line), strings.TrimSpace(trailing(before[i])))
			cut = append(cut, before[i])
		}
	}
	require.Equal(t, []string{
		`import "math"`,
		"\tclock \"time\" // renamed",
		"// TestGone is not kept,", "// and neither is this.", "func TestGone(t *testing.T) {",
		"\t// nor this", "\t_ = math.Pi", "\t_ = clock.Second // été", "}",
		"func Example_gone() {", "\t// Output: x", "}",
	}, cut)
}

// trailing returns the comment of a line, which stays when the code before it is dropped.
func trailing(line string) string {
	if strings.HasSuffix(line, "// renamed") {
		return "// renamed"
	}
	return ""
}

func TestDropNothing(t *testing.T) {
	kept, dropped, err := dropFunctions([]byte(someTests), func(string) bool { return false })
	require.NoError(t, err)
	require.Empty(t, dropped)
	require.Equal(t, someTests, string(kept))
}

func TestDropSaysThatItCannotRead(t *testing.T) {
	_, _, err := dropFunctions([]byte("package"), isBenchmark)
	require.Error(t, err)
}

func TestTestsAreFound(t *testing.T) {
	require.Equal(t, []string{"TestA", "ExampleB", "FuzzC"}, tests([]byte(`package p
func TestMain(m *testing.M) {}
func TestA(t *testing.T) {}
func ExampleB() {}
func FuzzC(f *testing.F) {}
func BenchmarkD(b *testing.B) {}
func helper() {}
func (T) TestE() {}
`)))
}
