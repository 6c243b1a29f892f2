package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	xratePkg      = "golang.org/x/time/rate"
	backoffPkg    = "github.com/cenkalti/backoff/v5"
	uberPkg       = "go.uber.org/ratelimit"
	failsafePkg   = "github.com/failsafe-go/failsafe-go/"
	flowPkg       = "k8s.io/client-go/util/flowcontrol"
	workqueuePkg  = "k8s.io/client-go/util/workqueue"
	awsRetryPkg   = "github.com/aws/aws-sdk-go-v2/aws/retry"
	awsLimitPkg   = "github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	limiterPkg    = failsafePkg + "ratelimiter"
	notesUberTake = "`Take()` is all there is"
)

// What a library does not have is shown by the names that it exports: none of them is
// what such a thing would be called, and what comes nearest is named.

// absent: look, a name that these packages export, is the nearest that there is, and
// nothing is named like words, as what Fairlead has is.
func absent(look, words string, packages ...string) proof {
	return missing([]string{"example.com/fairlead/scheduler", "example.com/fairlead/scheduler/ratehttp"}, look, words, packages...)
}

// absentBeside is absent for what a package of failsafe-go has, and Fairlead may lack, too.
func absentBeside(peer, look, words string, packages ...string) proof {
	return missing([]string{failsafePkg + peer}, look, words, packages...)
}

// missing shows that packages export look and nothing like words, which some model exports.
func missing(models []string, look, words string, packages ...string) proof {
	return func(t *testing.T) mark {
		like := regexp.MustCompile("(?i)" + words)
		found := func(pkg string) bool { return slices.ContainsFunc(exported(t, pkg), like.MatchString) }
		if !slices.ContainsFunc(models, found) {
			t.Errorf("%q does not even find it in %v", words, models)
		}
		there, got := false, no
		for _, p := range packages {
			for _, name := range exported(t, p) {
				there = there || name == look
				if like.MatchString(name) {
					t.Errorf("%s exports %s: look whether that is what it is said to lack", p, name)
					got = partly
				}
			}
		}
		if !there {
			t.Errorf("%v export no %s any more: look again", packages, look)
		}
		return got
	}
}

// noMore: p is as much of it as there is, and that is partly at best.
func noMore(p proof, look, words string, packages ...string) proof {
	return func(t *testing.T) mark {
		absent(look, words, packages...)(t)
		return min(p(t), partly)
	}
}

// has: a package exports these names, with which it can be done in another way.
func has(pkg string, names ...string) proof {
	return func(t *testing.T) mark {
		for _, name := range names {
			if !slices.Contains(exported(t, pkg), name) {
				return no
			}
		}
		return partly
	}
}

// says: a library's source has these lines, which were read because they are too far
// inside to be run here.
func says(module, file string, lines ...string) proof {
	return func(t *testing.T) mark {
		text, err := os.ReadFile(filepath.Join(apis()[module].dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				return no
			}
		}
		return partly
	}
}

// tested: these tests of Fairlead's own show it.
func tested(names ...string) proof {
	return func(t *testing.T) mark {
		for _, name := range names {
			if !slices.Contains(apis()["example.com/fairlead"].tests, name) {
				t.Errorf("Fairlead has no test %s", name)
				return no
			}
		}
		return yes
	}
}

// all is the least of what these show.
func all(proofs ...proof) proof {
	return func(t *testing.T) mark {
		got := yes
		for _, p := range proofs {
			got = min(got, p(t))
		}
		return got
	}
}

// source is a module as it lies in the module cache.
type source struct {
	dir   string
	tests []string // of Fairlead alone
}

// apis are the modules' sources, by path.
var apis = sync.OnceValue(func() map[string]source {
	found := map[string]source{}
	paths := slices.Concat([]string{"example.com/fairlead"}, modules, fleetModules, journalModules)
	out := must(exec.Command("go", append([]string{"list", "-m", "-f", "{{.Path}} {{.Dir}}"}, paths...)...).Output())
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[path] = source{dir: dir}
	}
	ours := found["example.com/fairlead"]
	isTest := regexp.MustCompile(`(?m)^func ((?:Test|Example)\w+)\(`)
	check(filepath.WalkDir(ours.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, name := range isTest.FindAllSubmatch(must(os.ReadFile(path)), -1) {
				ours.tests = append(ours.tests, string(name[1]))
			}
		}
		return err
	}))
	found["example.com/fairlead"] = ours
	return found
})

// exported are the names that a package exports: F, T, T.Method and T.Field.
func exported(t *testing.T, pkg string) (names []string) {
	t.Helper()
	for module, s := range apis() {
		dir, ok := strings.CutPrefix(pkg, module)
		if !ok {
			continue
		}
		files, err := filepath.Glob(filepath.Join(s.dir, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, namesIn(file)...)
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s exports nothing", pkg)
	}
	return names
}

func namesIn(file *ast.File) (names []string) {
	add := func(prefix string, ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names = append(names, prefix+id.Name)
			}
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add("", d.Name)
			} else if owner := baseName(d.Recv.List[0].Type); owner.IsExported() {
				add(owner.Name+".", d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					add("", s.Names...)
				case *ast.TypeSpec:
					add("", s.Name)
					for _, f := range fieldsOf(s) {
						add(s.Name.Name+".", f...)
					}
				}
			}
		}
	}
	return names
}

// fieldsOf are the fields or methods of a type that is exported, the embedded ones too.
func fieldsOf(s *ast.TypeSpec) (fields [][]*ast.Ident) {
	var list *ast.FieldList
	switch ty := s.Type.(type) {
	case *ast.StructType:
		list = ty.Fields
	case *ast.InterfaceType:
		list = ty.Methods
	}
	if list == nil || !s.Name.IsExported() {
		return nil
	}
	for _, f := range list.List {
		if len(f.Names) == 0 {
			fields = append(fields, []*ast.Ident{baseName(f.Type)})
		}
		fields = append(fields, f.Names)
	}
	return fields
}

// baseName is the name of a type without its package, pointer and parameters.
func baseName(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.SelectorExpr:
		return e.Sel
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.IndexListExpr:
		return baseName(e.X)
	}
	return ast.NewIdent("_")
}
