package kith

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module     = "kith/"
	maxLines   = 600
	maxMethods = 5
)

// rules is what ARCHITECTURE.md says. The test reads it from there, so the page cannot be wrong.
type rules struct {
	order   []string            // a package imports only what stands before it
	shelves []string            // packages with one declaration a file, which only app imports
	modules map[string][]string // a module from outside → the packages that may import it
}

func readRules(text string) rules {
	lines := func(block string) []string {
		_, after, _ := strings.Cut(text, "```"+block+"\n")
		inside, _, _ := strings.Cut(after, "\n```")
		return strings.Split(inside, "\n")
	}
	r := rules{modules: map[string][]string{}}
	for _, line := range lines("order") {
		words := append(strings.Fields(line), "", "")
		r.order = append(r.order, words[0])
		if words[1] == "shelf:" {
			r.shelves = append(r.shelves, words[0])
		}
	}
	for _, line := range lines("modules") {
		words := append(strings.Fields(line), "")
		r.modules[words[0]] = words[1:]
	}
	return r
}

// file is one parsed Go file; pkg is its folder.
type file struct {
	path, pkg, text string
	*ast.File
}

func parse(path, text string) (file, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
	return file{filepath.ToSlash(path), filepath.ToSlash(filepath.Dir(path)), text, tree}, err
}

func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parse(path, string(text))
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range readRules(string(text)).check(files) {
		t.Error(complaint)
	}
}

// complaints is what is wrong, in sentences that say what to do.
type complaints []string

func (c *complaints) add(wrong bool, format string, args ...any) {
	if wrong {
		*c = append(*c, fmt.Sprintf(format, args...))
	}
}

func (r rules) check(files []file) (c complaints) {
	seen, documented, globals := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		lines := strings.Count(f.text, "\n")
		c.add(lines > maxLines, "%s has %d lines; split it, %d is the most", f.path, lines, maxLines)
		seen[f.pkg] = true
		if strings.HasSuffix(f.path, "_test.go") {
			documented[f.pkg] = documented[f.pkg] || f.Doc != nil && onlyTests(f.pkg)
			continue
		}
		documented[f.pkg] = documented[f.pkg] || f.Doc != nil
		r.imports(f, &c)
		r.declarations(f, globals, &c)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.path, "_test.go") {
			mutations(f, globals, &c)
		}
	}
	delete(seen, ".") // this test
	for _, pkg := range slices.Sorted(maps.Keys(seen)) {
		c.add(!slices.Contains(r.order, pkg), "%s has no place in the order of ARCHITECTURE.md", pkg)
		c.add(!documented[pkg], "%s does not say what it is: no file has a package comment", pkg)
		wells := []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "pkg"}
		c.add(slices.Contains(wells, path.Base(pkg)), "%s: name it after what it does", pkg)
	}
	for _, pkg := range r.order {
		c.add(!seen[pkg], "ARCHITECTURE.md has %s, the repository has not", pkg)
	}
	return c
}

// onlyTests reports whether a package exists for its tests, which then carry its comment.
func onlyTests(pkg string) bool { return pkg == "test" || strings.HasPrefix(pkg, "test/") }

func (r rules) imports(f file, c *complaints) {
	for _, spec := range f.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if own, inside := strings.CutPrefix(name, module); inside {
			c.add(slices.Index(r.order, own) >= slices.Index(r.order, f.pkg), "%s imports %s, which does not stand before it", f.path, own)
			c.add(slices.Contains(r.shelves, own) && f.pkg != "app", "%s imports the shelf %s; only app does", f.path, own)
		} else if strings.Contains(name, ".") {
			c.add(!r.allowed(name, f.pkg), "%s imports %s, which ARCHITECTURE.md does not give it", f.path, name)
		}
	}
}

func (r rules) allowed(module, pkg string) bool {
	for prefix, users := range r.modules {
		if prefix != "" && strings.HasPrefix(module, prefix) && slices.Contains(users, pkg) {
			return true
		}
	}
	return false
}

// declarations looks at interfaces, init functions and variables, and notes the package's variables in globals.
func (r rules) declarations(f file, globals map[string]bool, c *complaints) {
	inits := 0
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.InterfaceType:
			c.add(n.Methods.NumFields() > maxMethods, "%s has an interface of %d methods; %d is the most", f.path, n.Methods.NumFields(), maxMethods)
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				inits++
			}
		}
		return true
	})
	if slices.Contains(r.shelves, f.pkg) {
		c.add(inits != 1, "%s has %d init functions; a file on a shelf declares one thing", f.path, inits)
	} else {
		c.add(inits > 0, "%s has an init function; only files on a shelf do", f.path)
	}
	for _, object := range f.Scope.Objects {
		if object.Kind == ast.Var {
			globals[f.pkg+"."+object.Name] = true
			c.add(ast.IsExported(object.Name), "%s exports the variable %s; anyone may change it", f.path, object.Name)
		}
	}
}

// mutations finds what changes a package's variables. It goes by names and by what the parser resolves in a file,
// so it is cheap, and blind only to a pointer that escapes by a method call.
func mutations(f file, globals map[string]bool, c *complaints) {
	changed := func(e ast.Expr) {
		id := root(e)
		if id != nil && globals[f.pkg+"."+id.Name] && (id.Obj == nil || id.Obj == f.Scope.Lookup(id.Name)) {
			c.add(true, "%s changes the package variable %s", f.path, id.Name)
		}
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				changed(left)
			}
		case *ast.IncDecStmt:
			changed(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				changed(n.X)
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.Ident); ok && (fun.Name == "delete" || fun.Name == "clear") {
				changed(n.Args[0])
			}
		}
		return true
	})
}

// root is the variable that an expression such as a.b[c] is a part of.
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	}
	return nil
}

// TestTheRulesBite shows that each rule catches its offence and lets the innocent pass.
func TestTheRulesBite(t *testing.T) {
	r := readRules("```order\nevent\njournal\nlake\nlake/tables shelf:\n```\n```modules\nexample.org/x lake\n```")
	cases := []struct{ source, want string }{
		{`import _ "kith/lake"`, "imports lake, which does not stand before it"},
		{`import _ "kith/lake/tables"`, "imports the shelf lake/tables"},
		{`import _ "example.org/x/y"`, "which ARCHITECTURE.md does not give it"},
		{`type I interface { A(); B(); C(); D(); E(); F() }`, "interface of 6 methods"},
		{`func init() {}`, "has an init function"},
		{`var Default = map[string]int{}`, "exports the variable Default"},
		{`var n int; func f() { n++ }`, "changes the package variable n"},
		{`var m = map[int]int{}; func f() { m[1] = 2 }`, "changes the package variable m"},
		{`var m = map[int]int{}; func f() { delete(m, 1) }`, "changes the package variable m"},
		{`var n int; func f() *int { return &n }`, "changes the package variable n"},
		{strings.Repeat("\n", 601), "split it"},
		{`var n int; func f() { n := 1; n++; _ = n }`, ""},
		{`var t = map[int]int{1: 2}; func f() int { return t[1] }`, ""},
		{`import _ "kith/event"`, ""},
	}
	for _, c := range cases {
		f, err := parse("journal/x.go", "package journal; "+c.source)
		if err != nil {
			t.Fatal(err)
		}
		got := r.check([]file{f})
		hit := slices.ContainsFunc(got, func(s string) bool { return c.want != "" && strings.Contains(s, c.want) })
		// Without an offence there are four complaints: no comment; event, lake and lake/tables are not there.
		if quiet := len(got) == 4; c.want == "" && !quiet || c.want != "" && !hit {
			t.Errorf("%.70s: want %q, got %q", c.source, c.want, got)
		}
	}
	misnamed, err := parse("lake/util/x.go", "// Package util is a well.\npackage util")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.check([]file{misnamed}), "\n"); !strings.Contains(got, "name it after what it does") || !strings.Contains(got, "has no place in the order") {
		t.Errorf("lake/util passes: %q", got)
	}
}
