package repotest

import (
	"go/ast"
	"go/parser"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// impure is code that reaches from core to below and Exported. A comment says what is wrong in its line.
const impure = `package a

import (
	"errors"
	"fmt"
	"math/rand"
	"sync/atomic"
	"time"
)

type call struct {
	fn    func()
	err   error
	done  chan int     // uses the channel done; uses the channel chan int
	count atomic.Int32 // uses sync/atomic.Int32
	many  map[int]int
	all   []func()
}

var hook = func() {}

func core(c *call, each func(int)) {
	each(len(c.many))
	wait := time.Second.Round(1)
	f := func() { each(int(wait)) }
	f()
	(func() {})()
	pick(each)(1)
	any[int](1)
	fmt.Errorf("%d", 1)
	_ = c.err == errors.New("c")
	below(c)
	Exported(f, 1)
}

func any[T int](T) {}
func pick(f func(int)) func(int) { return f }

func below(c *call) {
	go core(c, nil)     // starts a goroutine
	close(c.done)       // uses the channel c.done; uses the channel done
	for range c.many {} // ranges over a map, whose order is random
	for _, f := range c.all { // ranges over functions, which may be code of the user
		f()
	}
	c.all[0]()  // uses the function c.all[0], which may be code of the user
	c.fn()      // uses the function fn, which may be code of the user
	hook()      // uses the function hook, which may be code of the user
	time.Now()  // uses time.Now
	rand.Int()  // uses math/rand.Int
	c.count.Load()          // uses sync/atomic.Load
	_ = c.err.Error()       // uses the function Error, which may be code of the user
	fmt.Errorf("%v", c.err) // formats an interface, whose methods may be code of the user
	errors.Is(c.err, nil)   // uses errors.Is
	f, _ := interface{}(c).(func()) // uses the function interface{}(c).(func()), which may be code of the user
	f()
}

func Exported(f func(), sum int) {
	f() // uses the function f, which may be code of the user
}

func unused() { go core(nil, nil) }
`

// TestImpurities checks the check itself.
func TestImpurities(t *testing.T) {
	code := newTyped()
	file, err := parser.ParseFile(code.set, "a.go", impure, parser.SkipObjectResolution)
	require.NoError(t, err)
	_, err = code.check(module+"/a", []*ast.File{file})
	require.NoError(t, err)
	core := slices.DeleteFunc(file.Decls, func(decl ast.Decl) bool {
		f, is := decl.(*ast.FuncDecl)
		return is && f.Name.Name != "core"
	})
	found := map[int][]string{} // by line
	for _, decl := range code.reached(core) {
		for _, fault := range code.impurities(decl) {
			found[fault.at.Line] = append(found[fault.at.Line], fault.what)
		}
	}
	for i, line := range strings.Split(impure, "\n") {
		_, want, _ := strings.Cut(line, "// ")
		require.Equal(t, want, strings.Join(found[i+1], "; "), line)
	}
}
