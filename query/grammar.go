package query

import (
	_ "embed"
	"strings"
)

//go:embed grammar.txt
var grammarText string

//go:embed functions.txt
var functionsText string

// node is one object of DuckDB's syntax tree.
type node = map[string]any

// grammar is what a query may be made of.
type grammar struct {
	shapes    map[string]shape // by "expression CASE", "part order"
	functions map[string]bool
}

// shape is the keys that a node may have, each with the kind of code that it holds; "" is none.
type shape map[string]string

func newGrammar() *grammar {
	g := &grammar{shapes: map[string]shape{}, functions: map[string]bool{}}
	for line := range lines(grammarText) {
		words := strings.Fields(line)
		keys := shape{"type": "", "class": "", "alias": "", "query_location": ""}
		for _, word := range words[2:] {
			key, holds, _ := strings.Cut(word, ":")
			keys[key] = holds
		}
		g.shapes[words[0]+" "+words[1]] = keys
	}
	for line := range lines(functionsText) {
		for _, name := range strings.Fields(line) {
			g.functions[name] = true
		}
	}
	return g
}

// lines are the lines of text that are not empty and not a comment.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# ") && !yield(line) {
				return
			}
		}
	}
}

// tableFunction reports whether a function may stand after FROM. They make rows out of their arguments and nothing
// else; each is allowed as a function too.
func tableFunction(name string) bool {
	switch name {
	case "unnest", "range", "generate_series", "generate_subscripts", "json_each", "json_tree", "regexp_split_to_table":
		return true
	}
	return false
}

// callable reports whether a function may be called. Collations are functions too.
func (g *grammar) callable(name string) bool {
	return g.functions[name] || strings.HasPrefix(name, "icu_collate_")
}

// shapeOf finds the shape of n, which stands where code of the kind holds is expected.
func (g *grammar) shapeOf(holds string, n node) (kind string, s shape, ok bool) {
	switch holds {
	case "expression":
		kind, _ = n["class"].(string)
	case "query", "table", "modifier":
		kind, _ = n["type"].(string)
	default:
		holds, kind = "part", holds
	}
	s, ok = g.shapes[holds+" "+kind]
	return kind, s, ok
}
