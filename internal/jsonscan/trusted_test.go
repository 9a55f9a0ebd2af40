package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"testing"
	"unicode/utf8"

	"kith/internal/jsonscan"
)

// walk reads the value under the cursor as encoding/json would: objects member by member, arrays by encoding/json.
func walk(c *jsonscan.Cursor) any {
	switch c.Kind() {
	case jsonscan.Object:
		object := map[string]any{}
		for c.Enter(); c.Member(); {
			key := string(c.Key())
			object[key] = walk(c)
		}
		return object
	case jsonscan.String:
		text, escaped := c.String()
		if !escaped {
			return string(text)
		}
		return string(jsonscan.Unescape(nil, text))
	case jsonscan.Number:
		return json.Number(c.Skip())
	}
	v, _ := decode(c.Skip())
	return v
}

func decode(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// sameAsEncodingJSON holds for every valid text in UTF-8; on others the cursor must only come to an end.
func sameAsEncodingJSON(t *testing.T, b []byte) {
	var c jsonscan.Cursor
	c.Reset(b)
	got := walk(&c)
	if !json.Valid(b) || !utf8.Valid(b) {
		return
	}
	want, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !c.OK() || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\ngot  %#v, OK %v\nwant %#v", b, got, c.OK(), want)
	}
	if rest := bytes.TrimSpace(b[c.Pos():]); len(rest) != 0 {
		t.Fatalf("%s: %q is left", b, rest)
	}
}

var texts = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":{"c":[1,{"d":"]}"}],"e":{}},"f":null}`, "{\n\t\"a\" : \"b\" ,\r\n \"c\":true }",
	`{"long name of more than eight bytes":"a value of more than eight bytes","x":"exactly8"}`,
	`{"\u0061":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","k\n":{"\u0062":1},"z":"\ud800","y":"\ud800\u0041","x":"\udc00\ud83d"}`,
	`{"a":-0.5e-3,"a":"twice"}`, `"text"`, `12`, `[]`, `{"é😀":"ü"}`, `{"a":"\\"}`, `{"a":"\\\\","b":"\\\""}`,
	`{"a":[[[[[1]]]]],"b":{"c":{"d":{}}}}`,
	// no JSON
	``, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":"\`, `{"a":"\u`, `{"a":"\u00"}`,
	`{"a":[1}`, `{"a":"\ud83d\u`, `}`, `]`, `:`, "{\"a\":\"\x01\"}", `{"\u":{}}`, `{"a":]}`, `{]}`,
}

func TestCursorReadsLikeEncodingJSON(t *testing.T) {
	for _, text := range texts {
		sameAsEncodingJSON(t, []byte(text))
	}
}

func FuzzCursor(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(sameAsEncodingJSON)
}

func TestCursorSaysWhenItLostItsWay(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a":1,}`, `{"a" 1}`, `{"a":}`, `{"a":[1}`, `[1`, `{"a":"b`, `{"a":1 "b":2}`} {
		var c jsonscan.Cursor
		c.Reset([]byte(text))
		walk(&c)
		if c.OK() {
			t.Errorf("%s: OK", text)
		}
	}
}

func TestCursorMeasuresLikeStrict(t *testing.T) {
	for _, c := range []struct {
		event          string
		depth, members int
	}{
		{`{}`, 1, 0},
		{`{"a":1,"b":"c:d"}`, 1, 2},
		{`{"a":[[{"b":{"c":{},"d":[{"e":1}]}}]]}`, 7, 5},
		{`{"a":{"b":{"c":{}}},"d":[]}`, 4, 4},
	} {
		line := []byte(`{"batch":{"deep":{"er":{"est":[[[[[[[1]]]]]]]}}},"event":` + c.event + `}`)
		var cursor jsonscan.Cursor
		cursor.Reset(line)
		for cursor.Enter(); cursor.Member(); {
			cursor.Mark()
			if string(cursor.Key()) != "event" {
				cursor.Skip()
				continue
			}
			walk(&cursor)
			depth, members := cursor.Measure()
			if depth != c.depth || members != c.members {
				t.Errorf("%s: depth %d and %d members, want %d and %d", c.event, depth, members, c.depth, c.members)
			}
			cursor.Mark()
		}
		var strict jsonscan.Strict
		strict.Reset([]byte(c.event), 0)
		strict.Mark()
		strict.Value()
		if depth, members := strict.Measure(); depth != c.depth || members != c.members {
			t.Errorf("%s: Strict says depth %d and %d members, want %d and %d", c.event, depth, members, c.depth, c.members)
		}
	}
}

func TestKeysAndSpans(t *testing.T) {
	var c jsonscan.Cursor
	c.Reset([]byte(`{"a" : 1, "\u0062":{"\u0063":[ 2 ]}}`))
	var spans []string
	for c.Enter(); c.Member(); {
		at, key := c.KeyPos(), c.Key()
		if c.Kind() == jsonscan.Object {
			for c.Enter(); c.Member(); {
				c.Skip()
			}
		} else {
			c.Skip()
		}
		spans = append(spans, string(key)+"="+string(c.Since(at)))
	}
	want := []string{`a="a" : 1`, `b="\u0062":{"\u0063":[ 2 ]}`}
	if !c.OK() || !reflect.DeepEqual(spans, want) {
		t.Errorf("got %q, want %q", spans, want)
	}
}

func FuzzNumbers(f *testing.F) {
	for _, n := range []string{"0", "-0", "1", "-17", "9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"1.5", "-2.50e+10", "1e400", "0.1", "123456789012345678", "1234567890123456789", "", "-", "x"} {
		f.Add([]byte(n))
	}
	f.Fuzz(func(t *testing.T, number []byte) {
		n, isInt := jsonscan.Int(number)
		float, isFloat := jsonscan.Float(number)
		if !json.Valid(number) || len(number) == 0 || number[0] != '-' && number[0]-'0' > 9 || bytes.ContainsAny(number, " \t\r\n") {
			return
		}
		wantInt, err := strconv.ParseInt(string(number), 10, 64)
		if isInt != (err == nil) || isInt && n != wantInt {
			t.Errorf("Int(%s) = %d, %v", number, n, isInt)
		}
		if len(number) > 400 {
			return
		}
		exact, _, err := big.ParseFloat(string(number), 10, 4000, big.ToNearestEven)
		if err != nil {
			return
		}
		want, _ := exact.Float64()
		if isFloat == math.IsInf(want, 0) || isFloat && float != want {
			t.Errorf("Float(%s) = %v, %v, want %v", number, float, isFloat, want)
		}
	})
}
