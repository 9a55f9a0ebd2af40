package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kith/event"
)

// maxDepth bounds how deeply a query may be nested. DuckDB's own limit for expressions is the same.
const maxDepth = 1000

// plan is what a query was found to be.
type plan struct {
	uses       []string // the tables it reads, in the order of tables: "clean.events"
	listTables bool     // it is SHOW TABLES
}

// validator walks a syntax tree against the grammar. It holds the text for the places of its errors.
type validator struct {
	*grammar
	text  string
	at    int // where the last node with a place begins
	depth int
	uses  map[string]bool
}

// scope is the names that WITH has made so far; inner ones hide outer ones.
type scope struct {
	outer *scope
	names []string
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if slices.Contains(s.names, name) {
			return true
		}
	}
	return false
}

// validate judges the tree that DuckDB's parser made of text. It fails closed: what it does not know is refused.
func (g *grammar) validate(text string, tree json.RawMessage) (plan, error) {
	var answer struct {
		Error    bool   `json:"error"`
		Type     string `json:"error_type"`
		Message  string `json:"error_message"`
		Position string `json:"position"`
		Nodes    []node `json:"statements"`
	}
	decoder := json.NewDecoder(bytes.NewReader(tree))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		// The parser writes a number beyond the range of DOUBLE as Infinity, which is not JSON.
		return plan{}, &event.Error{Code: event.Invalid, Message: "a number in the query is out of range", Err: err}
	}
	v := &validator{grammar: g, text: text, uses: map[string]bool{}}
	switch {
	case answer.Error && answer.Type == "not implemented":
		return plan{}, v.notSelect()
	case answer.Error:
		position, err := strconv.Atoi(answer.Position)
		if err != nil {
			position = -1
		}
		return plan{}, &event.Error{Code: event.Usage, Message: answer.Message, Place: placeAt(text, position)}
	case len(answer.Nodes) == 0:
		return plan{}, event.Errorf(event.Usage, "the query is empty").WithHint("try: SELECT count(*) FROM clean.events")
	case len(answer.Nodes) > 1:
		return plan{}, event.Errorf(event.Usage, "one statement at a time; there are %d", len(answer.Nodes))
	}
	if isShowTables(answer.Nodes[0]) {
		return plan{listTables: true}, nil
	}
	if err := v.visit("statement", answer.Nodes[0], nil); err != nil {
		return plan{}, err
	}
	p := plan{}
	for _, t := range tables() {
		if v.uses[t.name()] {
			p.uses = append(p.uses, t.name())
		}
	}
	return p, nil
}

// isShowTables recognises SHOW TABLES, SHOW ALL TABLES and DESCRIBE alone, which are SELECT * FROM (SHOW …).
func isShowTables(statement node) bool {
	query, _ := statement["node"].(node)
	from, _ := query["from_table"].(node)
	name, _ := from["table_name"].(string)
	return from["type"] == "SHOW_REF" && from["query"] == nil && query["where_clause"] == nil &&
		(name == `"tables"` || name == "__show_tables_expanded")
}

// notSelect says what is wrong with a text that is not one SELECT; the parser's own words do not.
func (v *validator) notSelect() error {
	verb, at, ended := "this statement", 0, false
	for s := (scanner{text: v.text}); s.next(); {
		word := strings.ToUpper(s.token())
		switch {
		case ended:
			return event.Errorf(event.Usage, "one statement at a time; another one begins with %s", word)
		case s.kind == tokenSymbol && word == ";":
			ended = true
		case s.kind != tokenWord:
		case verb == "this statement":
			verb, at = word, s.from
		case reads(verb) && (word == "INSERT" || word == "UPDATE" || word == "DELETE" || word == "MERGE" || word == "PIVOT"):
			verb, at = word, s.from
		}
	}
	e := event.Errorf(event.Forbidden, "%s is not allowed here: a query reads, and does nothing else", verb).
		WithHint("allowed: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES")
	if verb == "PIVOT" || reads(verb) {
		e = event.Errorf(event.Forbidden, "PIVOT without a list of values is not allowed here").
			WithHint("name the values: PIVOT … ON column IN (…)")
	}
	e.Place = placeAt(v.text, at)
	return e
}

func reads(verb string) bool {
	return verb == "SELECT" || verb == "FROM" || verb == "WITH" || verb == "DESCRIBE"
}

func (v *validator) refuse(code event.Code, format string, args ...any) *event.Error {
	e := event.Errorf(code, format, args...)
	e.Place = placeAt(v.text, v.at)
	return e
}

// visit judges value, which stands where code of the kind holds is expected: a node, a list of them, or nothing.
func (v *validator) visit(holds string, value any, outer *scope) error {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		for _, one := range value {
			if err := v.visit(holds, one, outer); err != nil {
				return err
			}
		}
		return nil
	case node:
		return v.node(holds, value, outer)
	}
	return v.refuse(event.Forbidden, "this syntax is not known here (%s)", holds)
}

func (v *validator) node(holds string, n node, outer *scope) error {
	if v.depth++; v.depth > maxDepth {
		return v.refuse(event.TooLarge, "the query is nested more than %d deep", maxDepth)
	}
	defer func() { v.depth-- }()
	if at, ok := location(n); ok {
		v.at = at
	}
	if n["at_clause"] != nil {
		return v.refuse(event.Usage, "AT is not known here").WithHint("write: FROM clean.events AS OF SEQ n")
	}
	if holds == "table" && n["type"] == "SHOW_REF" && n["query"] == nil {
		return v.refuse(event.Forbidden, "only SHOW TABLES and DESCRIBE of a table or query can be shown")
	}
	kind, shape, ok := v.shapeOf(holds, n)
	if !ok {
		return v.refuse(event.Forbidden, "this syntax is not allowed here (%s %s)", holds, kind)
	}
	for key, value := range n {
		if _, ok := shape[key]; !ok {
			return v.refuse(event.Forbidden, "this syntax is not allowed here (%s %s, %s)", holds, kind, key)
		}
		if shape[key] == "" && holdsCode(value) {
			return v.refuse(event.Forbidden, "this syntax is not allowed here (code in %s %s, %s)", holds, kind, key)
		}
	}
	if err := v.name(holds, kind, n, outer); err != nil {
		return err
	}
	return v.children(holds, kind, n, shape, outer)
}

// children visits what n holds in a fixed order, so that the same query has the same error. Names that WITH makes
// are seen by all that stands after them.
func (v *validator) children(holds, kind string, n node, shape shape, outer *scope) error {
	inner := outer
	if holds == "query" {
		inner = &scope{outer: outer}
		if err := v.ctes(n["cte_map"], inner); err != nil {
			return err
		}
	}
	keys := make([]string, 0, len(n))
	for key := range n {
		if shape[key] != "" && key != "cte_map" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		where := inner
		if kind == "RECURSIVE_CTE_NODE" && key == "right" { // only the step sees the name
			name, _ := n["cte_name"].(string)
			if err := v.cteName(name); err != nil {
				return err
			}
			where = &scope{outer: inner, names: []string{strings.ToLower(name)}}
		}
		if err := v.visit(shape[key], n[key], where); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) ctes(value any, inner *scope) error {
	list, _ := value.(node)
	if value != nil && (list == nil || len(list) > 1 || len(list) == 1 && list["map"] == nil) {
		return v.refuse(event.Forbidden, "this syntax is not allowed here (WITH)")
	}
	entries, _ := list["map"].([]any)
	for _, entry := range entries {
		if err := v.visit("cte", entry, inner); err != nil {
			return err
		}
		cte, _ := entry.(node)
		name, _ := cte["key"].(string)
		if err := v.cteName(name); err != nil {
			return err
		}
		inner.names = append(inner.names, strings.ToLower(name))
	}
	return nil
}

// cteName refuses the names that DuckDB finds something behind where WITH is out of scope: files and its own views.
func (v *validator) cteName(name string) error {
	lower := strings.ToLower(name)
	bad := name == "" || strings.ContainsAny(name, `./\:*?[]{}'"`)
	for _, prefix := range []string{"duckdb_", "pragma_", "sqlite_", "pg_", "__"} {
		bad = bad || strings.HasPrefix(lower, prefix)
	}
	if bad {
		return event.Errorf(event.Forbidden, "%q cannot be a name in WITH", name)
	}
	return nil
}

// name judges the names of tables and functions.
func (v *validator) name(holds, kind string, n node, at *scope) error {
	switch holds + " " + kind {
	case "table BASE_TABLE":
		return v.table(n, at)
	case "table TABLE_FUNCTION":
		f, _ := n["function"].(node)
		name, _ := f["function_name"].(string)
		if !tableFunction(strings.ToLower(name)) {
			return v.refuse(event.Forbidden, "the table function %s is not allowed", name).
				WithHint("tables: %s; table functions: unnest, range, generate_series, json_each, json_tree", tableList())
		}
	case "expression FUNCTION", "expression WINDOW":
		return v.function(n)
	}
	return nil
}

func (v *validator) function(n node) error {
	name, _ := n["function_name"].(string)
	catalog, _ := n["catalog"].(string)
	schema, _ := n["schema"].(string)
	if lower := strings.ToLower(name); !v.callable(lower) {
		e := v.refuse(event.Forbidden, "the function %s is not allowed, or there is none", name)
		if near := nearest(lower, v.functions); near != "" {
			e.Hint = fmt.Sprintf("did you mean %s?", near)
		}
		return e
	}
	if catalog != "" && catalog != "system" || schema != "" && schema != "main" && schema != "pg_catalog" {
		return v.refuse(event.Forbidden, "there are no functions in the schema %s", strings.TrimPrefix(catalog+"."+schema, "."))
	}
	return nil
}

func (v *validator) table(n node, at *scope) error {
	catalog, _ := n["catalog_name"].(string)
	schema, _ := n["schema_name"].(string)
	name, _ := n["table_name"].(string)
	if schema == "" && catalog == "" && at.has(strings.ToLower(name)) {
		return nil
	}
	full := strings.ToLower(schema + "." + name)
	if (catalog == "" || strings.EqualFold(catalog, "kith")) && isTable(full) {
		v.uses[full] = true
		return nil
	}
	shown := strings.TrimLeft(catalog+"."+schema+"."+name, ".")
	e := v.refuse(event.NotFound, "there is no table %s, or you may not read it", shown).WithHint("tables: %s", tableList())
	if near := nearestTable(strings.ToLower(shown)); near != "" {
		e.Hint = fmt.Sprintf("did you mean %s?", near)
	}
	return e
}

// holdsCode reports whether value, which should be names and constants, holds a node of the tree.
func holdsCode(value any) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, holdsCode)
	case node:
		for key, inner := range value {
			switch key {
			case "class", "node", "query", "subquery", "function_name", "table_name", "expression", "children":
				return true
			}
			if holdsCode(inner) {
				return true
			}
		}
	}
	return false
}

func location(n node) (int, bool) {
	number, ok := n["query_location"].(json.Number)
	if !ok {
		return 0, false
	}
	at, err := strconv.Atoi(number.String())
	return at, err == nil
}
