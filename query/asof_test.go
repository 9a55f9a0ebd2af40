package query

import (
	"strings"
	"testing"

	"kith/event"
)

func TestCutAsOf(t *testing.T) {
	for _, c := range []struct {
		in, out string
		at      At
	}{
		{"from clean.events AS OF SEQ 123", "from clean.events              ", At{Seq: 123}},
		{"from a as of seq 5 e where e.x = 1", "from a             e where e.x = 1", At{Seq: 5}},
		{"from a as\nof /* then */ snapshot 7;", "from a   \n                        ;", At{Snapshot: 7}},
		{"from a as of seq 1 join b as of seq 1", "from a             join b            ", At{Seq: 1}},
		{"select 1 as of", "select 1 as of", At{}},
		{"select 1 as of, seq from a", "select 1 as of, seq from a", At{}},
		{"select x as \"of\" seq 5", "select x as \"of\" seq 5", At{}},
		{"from a asof join b", "from a asof join b", At{}},
		{"select 'as of seq 5', \"as of seq 5\", $$as of seq 5$$, $x$ $$ as of seq 5 $x$", "", At{}},
		{"select e'\\' as of seq 5', 'it''s as of seq 5' -- as of seq 5", "", At{}},
		{"select 1 /* /* */ as of seq 5 */ as of seq 6", "select 1 /* /* */ as of seq 5 */            ", At{Seq: 6}},
		{"select 'open as of seq 5", "", At{}},
		{"select 1 as of seq", "", At{}},
		{"select $1 as of seq 9", "select $1            ", At{Seq: 9}},
	} {
		if c.out == "" {
			c.out = c.in
		}
		out, at, err := cutAsOf(c.in)
		if err != nil || out != c.out || at != c.at {
			t.Errorf("%q: %q %+v %v; want %q %+v", c.in, out, at, err, c.out, c.at)
		}
	}
}

func TestAsOfErrors(t *testing.T) {
	for _, text := range []string{"from a as of seq 1, b as of seq 2", "from a as of seq 1 as of snapshot 1", "from a as of seq 0",
		"from a as of seq 1.5", "from a as of seq 99999999999999999999", "from a as of snapshot 0x1"} {
		if _, _, err := cutAsOf(text); event.CodeOf(err) != event.Usage {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, pair := range [][2]At{{{}, {Seq: 1, Snapshot: 1}}, {{Seq: 1}, {Seq: 2}}, {{Seq: 1}, {Snapshot: 1}}, {{}, {Seq: -1}}} {
		if at, err := agree(pair[0], pair[1]); event.CodeOf(err) != event.Usage {
			t.Errorf("%+v: %+v %v", pair, at, err)
		}
	}
	if at, err := agree(At{Seq: 3}, At{Seq: 3}); err != nil || at.Seq != 3 {
		t.Errorf("the same twice: %+v %v", at, err)
	}
}

// What is cut is blanked and nothing else: every other byte stays where it is.
func FuzzCutAsOf(f *testing.F) {
	for _, seed := range []string{"from clean.events AS OF SEQ 123 e", "select 'as of seq 5', $a$ $a$ as of snapshot 2", "select e'\\'' /* /* */ */ -- x\n as of seq 1",
		"as of seq 1 as of seq 1", "$a$", "\"", "1as of seq 2", "as of seq 1\x00", "é as of seq 3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, at, err := cutAsOf(text)
		if err != nil {
			return
		}
		if len(out) != len(text) {
			t.Fatalf("%d bytes became %d", len(text), len(out))
		}
		changed := false
		for i := range len(text) {
			if out[i] != text[i] {
				changed = true
				if out[i] != ' ' || text[i] == '\n' {
					t.Fatalf("byte %d of %q became %q", i, text, out[i])
				}
			}
		}
		if changed == at.isZero() {
			t.Fatalf("%q: cut %v, found %+v", text, changed, at)
		}
		for s := (scanner{text: text}); s.next(); {
			if s.from >= s.to || s.to > len(text) || strings.TrimSpace(s.token()) == "" {
				t.Fatalf("token %d..%d of %q", s.from, s.to, text)
			}
		}
	})
}

// The validator never panics, whatever the tree is made of, and no way leads to a function that reads.
func FuzzValidate(f *testing.F) {
	g := newGrammar()
	f.Add(`{"error":false,"statements":[{"node":{"type":"SELECT_NODE","cte_map":{},"select_list":[{"class":"STAR","type":"STAR"}],"from_table":{"type":"BASE_TABLE","schema_name":"clean","table_name":"events"}}}]}`)
	f.Add(`{"error":false,"statements":[{"node":{"type":"SELECT_NODE","cte_map":{"map":[{"key":"a","value":{"query":{"node":{"type":"SELECT_NODE"}}}}]}}}]}`)
	f.Add(`{"error":true,"error_type":"parser","error_message":"x","position":"3"}`)
	f.Add(`{"statements":[{"node":{"type":"SELECT_NODE","select_list":[{"class":"FUNCTION","function_name":"read_parquet"}]}}]}`)
	f.Fuzz(func(t *testing.T, tree string) {
		_, err := g.validate("select 1", []byte(tree))
		if err == nil && strings.Contains(tree, `"function_name":"read_parquet"`) {
			t.Fatalf("accepted: %s", tree)
		}
	})
}

func TestUnknownSyntaxIsRefused(t *testing.T) {
	g := newGrammar()
	const query = `{"statements":[{"node":{"type":"SELECT_NODE","cte_map":{},"select_list":[%],"from_table":{"type":"EMPTY"}}}]}`
	for _, expression := range []string{
		`{"class":"NEW"}`,
		`{"class":"CONSTANT","new":1}`,
		`{"class":"CONSTANT","value":{"class":"FUNCTION","function_name":"read_text"}}`,
		`{"class":"CAST","child":{"class":"CONSTANT"},"cast_type":{"id":"ENUM","info":{"query":{}}}}`,
		`{"class":"FUNCTION","function_name":"lower","schema":"other"}`,
		`{"class":"SUBQUERY","subquery":{"node":{"type":"SELECT_NODE","from_table":{"type":"NEW"}}}}`,
		`"text"`, `7`,
	} {
		if _, err := g.validate("", []byte(strings.Replace(query, "%", expression, 1))); event.CodeOf(err) != event.Forbidden {
			t.Errorf("%s: %v", expression, err)
		}
	}
	if _, err := g.validate("", []byte(strings.Replace(query, "%", `{"class":"CONSTANT","value":{"type":{"id":"INTEGER"},"value":1}}`, 1))); err != nil {
		t.Error(err)
	}
}
