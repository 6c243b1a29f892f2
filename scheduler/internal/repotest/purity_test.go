package repotest

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// typed has the packages of the root module that were loaded, with their types. It imports them for go/types.
type typed struct {
	set   *token.FileSet
	info  types.Info
	files map[string][]*ast.File
	known map[string]*types.Package
	decls map[*types.Func]*ast.FuncDecl
	std   types.Importer
}

func newTyped() *typed {
	return &typed{
		set: token.NewFileSet(), files: map[string][]*ast.File{}, known: map[string]*types.Package{}, decls: map[*types.Func]*ast.FuncDecl{},
		info: types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
			Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		},
		std: importer.Default(),
	}
}

// Import parses and checks a package of the root module, and leaves the standard library to the compiler.
func (p *typed) Import(importPath string) (*types.Package, error) {
	dir, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return p.std.Import(importPath)
	}
	if pkg := p.known[importPath]; pkg != nil {
		return pkg, nil
	}
	listed, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range listed.GoFiles {
		file, err := parser.ParseFile(p.set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return p.check(importPath, files)
}

func (p *typed) check(importPath string, files []*ast.File) (*types.Package, error) {
	pkg, err := (&types.Config{Importer: p}).Check(importPath, p.set, files, &p.info)
	p.known[importPath], p.files[importPath] = pkg, files
	for _, file := range files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				p.decls[p.info.Defs[f.Name].(*types.Func)] = f
			}
		}
	}
	return pkg, err
}

// reached returns decls and the functions of the module that they mention, and so on.
func (p *typed) reached(decls []ast.Decl) []ast.Decl {
	seen := map[ast.Decl]bool{}
	for _, decl := range decls {
		seen[decl] = true
	}
	for i := 0; i < len(decls); i++ {
		ast.Inspect(decls[i], func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if f, ok := p.info.Uses[id].(*types.Func); ok {
					if decl := p.decls[f.Origin()]; decl != nil && !seen[decl] {
						seen[decl] = true
						decls = append(decls, decl)
					}
				}
			}
			return true
		})
	}
	return decls
}

// impurity is what a pure declaration must not have.
type impurity struct {
	at   token.Position
	fn   string // the function's name
	what string
}

// impurities returns those of a declaration.
func (p *typed) impurities(decl ast.Decl) (faults []impurity) {
	name := ""
	if f, ok := decl.(*ast.FuncDecl); ok {
		name = f.Name.Name
	}
	fault := func(n ast.Node, format string, args ...any) {
		faults = append(faults, impurity{p.set.Position(n.Pos()), name, fmt.Sprintf(format, args...)})
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			fault(n, "starts a goroutine")
		case *ast.SelectStmt, *ast.SendStmt:
			fault(n, "uses a channel")
		case *ast.RangeStmt:
			if is[*types.Map](p.info.TypeOf(n.X)) {
				fault(n, "ranges over a map, whose order is random")
			}
			if n.Value != nil && is[*types.Signature](p.info.TypeOf(n.Value)) {
				fault(n, "ranges over functions, which may be code of the user")
			}
		case *ast.CallExpr:
			if p.formats(n) {
				fault(n, "formats an interface, whose methods may be code of the user")
			}
		case *ast.Ident:
			if obj := p.info.Uses[n]; obj != nil && !pure(obj) {
				fault(n, "uses %s.%s", obj.Pkg().Path(), obj.Name())
			}
		}
		if e, ok := n.(ast.Expr); ok && is[*types.Chan](p.info.TypeOf(e)) {
			fault(n, "uses the channel %s", types.ExprString(e))
		} else if ok && p.unknownFunction(decl, e) {
			fault(n, "uses the function %s, which may be code of the user", types.ExprString(e))
		}
		return true
	})
	return faults
}

// is reports whether the underlying type of typ is a T.
func is[T types.Type](typ types.Type) bool {
	if typ == nil {
		return false
	}
	_, is := typ.Underlying().(T)
	return is
}

// unknownFunction reports whether an expression is a function that may come from outside. It does not if it is a
// declared function, a literal, the result of a function that is checked itself, or a local variable, which can
// only have one of these. A parameter of an exported function does.
func (p *typed) unknownFunction(decl ast.Decl, e ast.Expr) bool {
	val := p.info.Types[e]
	switch e := e.(type) {
	case *ast.Ident:
		obj := p.info.Uses[e]
		return obj != nil && is[*types.Signature](obj.Type()) && !p.knownFunction(decl, obj)
	case *ast.FuncLit, *ast.ParenExpr, *ast.SelectorExpr:
		return false // the name that is selected is looked at for itself
	case *ast.CallExpr:
		if f := p.callee(e); f != nil && ours(f) {
			return false
		}
	case *ast.IndexExpr: // or a generic function
		if p.info.Types[e.Index].IsType() {
			return false
		}
	case *ast.IndexListExpr:
		return false
	}
	if several, ok := val.Type.(*types.Tuple); ok {
		for v := range several.Variables() {
			if is[*types.Signature](v.Type()) {
				return true
			}
		}
	}
	return val.IsValue() && is[*types.Signature](val.Type)
}

// knownFunction reports whether a name that is used in decl is a function that is declared, or a local variable.
func (p *typed) knownFunction(decl ast.Decl, obj types.Object) bool {
	switch obj := obj.(type) {
	case *types.Builtin, *types.TypeName:
		return true
	case *types.Func:
		recv := obj.Signature().Recv()
		return recv == nil || !types.IsInterface(recv.Type())
	case *types.Var:
		if obj.IsField() || obj.Parent() == nil || obj.Parent() == obj.Pkg().Scope() {
			return false
		}
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			return true
		}
		params := p.info.Defs[f.Name].(*types.Func).Signature().Params()
		for v := range params.Variables() {
			if v == obj {
				return false
			}
		}
		return true
	}
	return false
}

// callee returns the declared function that a call calls, or nil.
func (p *typed) callee(call *ast.CallExpr) *types.Func {
	var name *ast.Ident
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = fun
	case *ast.SelectorExpr:
		name = fun.Sel
	}
	f, _ := p.info.Uses[name].(*types.Func)
	return f
}

// formats reports whether a call formats an interface, of which package fmt calls methods.
func (p *typed) formats(call *ast.CallExpr) bool {
	f := p.callee(call)
	return f != nil && f.Pkg() != nil && f.Pkg().Path() == "fmt" && slices.ContainsFunc(call.Args, func(arg ast.Expr) bool {
		return types.IsInterface(p.info.TypeOf(arg)) || is[*types.Slice](p.info.TypeOf(arg))
	})
}

func ours(obj types.Object) bool {
	return obj.Pkg() != nil && strings.HasPrefix(obj.Pkg().Path(), module+"/")
}

// pure reports whether the core may use obj.
func pure(obj types.Object) bool {
	if _, is := obj.(*types.PkgName); is || obj.Pkg() == nil || ours(obj) {
		return true // what a package's name leads to is checked for itself
	}
	switch obj.Pkg().Path() {
	case "cmp", "iter", "math", "math/bits", "slices", "sort", "strconv", "strings":
		return true
	case "time":
		return obj.Parent() != obj.Pkg().Scope() || !readsClock(obj.Name())
	case "errors":
		return obj.Name() == "New" || obj.Name() == "Join" // Is and As call methods of errors
	case "fmt":
		return obj.Name() == "Errorf" || obj.Name() == "Sprintf"
	}
	return false
}
