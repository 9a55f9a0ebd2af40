package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	`{"type":"track","event":"Order Completed","messageId":"m-1","userId":"u-17","properties":{"total":12.50,"n":[1,-0,2e+3,4.5E-6],"ok":true,"no":false,"none":null}}`,
	`{"batch":[{"type":"page","anonymousId":"a","context":{"page":{"path":"/\u00e9\\\"x"}}},{},[],"",0],"sentAt":"2025-01-01T00:00:00Z","writeKey":"k"}`,
	"[\r\n\t{\"a\" : [ ] , \"b\":{ } } ,\"\\ud83d\\ude00 \\b\\f\\n\\r\\t\\/\", 0.1, -10, true]\n",
	`"é ü 😀 plain text that is longer than eight bytes"`,
	`{"":{"":{"":[[[[]]]]}}}`, ` 0 `, `null`, ``, `{`, `-`,
}

// oracle is what Valid is held to.
func oracle(text []byte) bool { return json.Valid(text) && utf8.Valid(text) }

func TestValidAgreesWithEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte("{}[]\",:\\/u0019aeE+-.tfnl \n\t\r\x00\x1f\x7f\x80\xc3\xff")
	invalid := 0
	const runs = 300_000
	for range runs {
		text := []byte(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(3) {
			at := r.IntN(len(text) + 1)
			switch c := alphabet[r.IntN(len(alphabet))]; r.IntN(4) {
			case 0:
				text = append(text[:at:at], append([]byte{c}, text[at:]...)...)
			case 1:
				text = text[:at]
			case 2:
				if at < len(text) {
					text[at] = c
				}
			default:
				if at < len(text) {
					text = append(text[:at], text[at+1:]...)
				}
			}
		}
		want := oracle(text)
		if got := Valid(text); got != want {
			t.Fatalf("Valid(%q) = %v, encoding/json says %v", text, got, want)
		}
		if !want {
			invalid++
		}
	}
	if invalid < runs/10 || invalid > runs*9/10 {
		t.Errorf("%d of %d texts were invalid: the mutations prove little", invalid, runs)
	}
}

func TestDepthAgreesWithEncodingJSON(t *testing.T) {
	for _, depth := range []int{1, 63, 64, 65, 9_999, 10_000, 10_001, 200_000} {
		for _, brackets := range [][2]string{{"[", "]"}, {`{"":`, "}"}} {
			text := []byte(strings.Repeat(brackets[0], depth) + "0" + strings.Repeat(brackets[1], depth))
			if got, want := Valid(text), oracle(text); got != want {
				t.Errorf("%d levels of %s: Valid %v, encoding/json %v", depth, brackets[0], got, want)
			}
		}
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	for _, c := range []struct {
		text  string
		depth int
		want  string
	}{
		{``, 0, `at byte 0: the text ends: expected a value`},
		{`  `, 0, `at byte 2: the text ends: expected a value`},
		{`{"a":1`, 0, `at byte 6: the text ends: expected a comma or "}" after a member`},
		{`{"a" 1}`, 0, `at byte 5: expected a colon after a member's name`},
		{`{"a":1,}`, 0, `at byte 7: expected a member's name in quotes`},
		{`{a:1}`, 0, `at byte 1: expected a member's name in quotes`},
		{`[1 2]`, 0, `at byte 3: expected a comma or "]" after an element`},
		{`[1,]`, 0, `at byte 3: expected a value`},
		{`[01]`, 0, `at byte 2: expected a comma or "]" after an element`},
		{`[1.]`, 0, `at byte 3: expected a digit in a number`},
		{`[-]`, 0, `at byte 2: expected a digit in a number`},
		{`[1e+]`, 0, `at byte 4: expected a digit in a number`},
		{`[nul]`, 0, `at byte 4: expected true, false or null`},
		{`"abc`, 0, `at byte 4: the text ends: a string has no end`},
		{"\"a\nb\"", 0, `at byte 2: a control character in a string`},
		{`"a\x"`, 0, `at byte 3: no such escape in a string`},
		{`"a\u12g4"`, 0, `at byte 6: expected four hexadecimal digits after "\u"`},
		{`{} {}`, 0, `at byte 3: something follows the value`},
		{`[[[]]]`, 2, `at byte 2: nested deeper than 2 levels`},
		{`[[{"a":1}]]`, 2, `at byte 2: nested deeper than 2 levels`},
	} {
		var s Strict
		s.Reset([]byte(c.text), c.depth)
		s.Value()
		if err := s.End(); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	for text, want := range map[string]int{"": -1, "é\ufffd": -1, "a\xffb": 1, "é\xc3": 2, "\xed\xa0\x80": 0} {
		if got := InvalidUTF8([]byte(text)); got != want {
			t.Errorf("InvalidUTF8(%q) = %d, want %d", text, got, want)
		}
	}
}

// walk steps into every container by hand, so that stepping and taking whole are held to the same answer.
func walk(s *Strict, text []byte, out []byte) []byte {
	switch s.Peek() {
	case '{':
		out = append(out, '{')
		s.Enter()
		for name, ok := s.Key(); ok; name, ok = s.Key() {
			out = append(append(append(out, '"'), name...), '"', ':')
			out = append(walk(s, text, out), ',')
		}
		return append(out, '}')
	case '[':
		out = append(out, '[')
		s.Enter()
		for s.Element() {
			out = append(walk(s, text, out), ',')
		}
		return append(out, ']')
	}
	return append(out, s.Value()...)
}

// compact is the oracle of walk: the text without white space, a comma behind every item.
func compact(t *testing.T, text []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatalf("Compact(%q): %v", text, err)
	}
	var out []byte
	inString, escaped, empty := false, false, false
	for _, c := range b.Bytes() {
		closing := !inString && (c == '}' || c == ']')
		if closing && !empty {
			out = append(out, ',')
		}
		empty = !inString && (c == '{' || c == '[')
		out = append(out, c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
	}
	return out
}

func check(t *testing.T, text []byte) {
	want := oracle(text)
	if got := Valid(text); got != want {
		t.Fatalf("Valid(%q) = %v, encoding/json says %v", text, got, want)
	}
	var s Strict
	s.Reset(text, 0)
	out := walk(&s, text, nil)
	stepped := s.End()
	if got := stepped == nil && utf8.Valid(text); got != want {
		t.Fatalf("stepping through %q: %v, encoding/json says %v", text, stepped, want)
	}
	if want {
		if compact := compact(t, text); !bytes.Equal(out, compact) {
			t.Fatalf("stepping through %q gives %q, want %q", text, out, compact)
		}
	}
	var whole Strict
	whole.Reset(text, 0)
	whole.Value()
	if err := whole.End(); fmt.Sprint(err) != fmt.Sprint(stepped) {
		t.Fatalf("%q: taken whole %v, stepped through %v", text, err, stepped)
	}
	if s.members != whole.members || s.reached != whole.reached {
		t.Fatalf("%q: measured %d, %d whole and %d, %d stepped", text, whole.reached, whole.members, s.reached, s.members)
	}
}

func TestStepping(t *testing.T) {
	for _, seed := range seeds {
		check(t, []byte(seed))
	}
}

func TestMeasure(t *testing.T) {
	var s Strict
	s.Reset([]byte(`{"batch":[{"a":{"b":[1,{"c":2}]},"d":3},7]}`), 0)
	s.Enter()
	s.Key()
	s.Enter()
	for _, want := range [][2]int{{4, 4}, {0, 0}} {
		if !s.Element() {
			t.Fatal(s.Err())
		}
		s.Mark()
		s.Value()
		if depth, members := s.Measure(); depth != want[0] || members != want[1] {
			t.Errorf("depth %d and %d members, want %v", depth, members, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	text := []byte(seeds[0])
	if n := testing.AllocsPerRun(100, func() { Valid(text) }); n != 0 {
		t.Errorf("%v allocations a text", n)
	}
}

func FuzzStrict(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(check)
}

func BenchmarkStrict(b *testing.B) {
	one := `{"type":"track","messageId":"3f2b9c1e-7a51-4b0e-9d55-1c2e8f1a7b60","anonymousId":"a1b2c3d4-0000-4444-8888-9999aaaabbbb","userId":"user-184223","event":"Product Viewed","timestamp":"2025-11-25T08:15:30.123Z","properties":{"product_id":"sku-00421","name":"Espresso Machine \"Classic\"","category":"kitchen/coffee","price":349.90,"currency":"EUR","quantity":1,"position":3,"in_stock":true},"context":{"page":{"url":"https://shop.example.com/p/sku-00421?utm_source=newsletter&utm_medium=email","path":"/p/sku-00421","title":"Espresso Machine Classic","referrer":"https://www.example.org/search"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36","locale":"de-DE","timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"2.1.0"},"screen":{"width":1920,"height":1080}}}`
	text := []byte("[" + strings.Repeat(one+",", 99) + one + "]")
	for _, c := range []struct {
		name  string
		valid func([]byte) bool
	}{{"kith", Valid}, {"encodingjson", json.Valid}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if !c.valid(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
