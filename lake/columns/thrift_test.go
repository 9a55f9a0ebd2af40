package columns

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"kith/event"
)

func realFooter(t testing.TB) []byte {
	t.Helper()
	set, path := New(), filepath.Join(t.TempDir(), "a")
	set.Append(&event.Event{Seq: 1, TS: 2, Type: event.Text("track"), Price: event.Money{Units: 3, Set: true}})
	set.Append(&event.Event{Seq: 2, TS: 3, Agent: &event.Agent{Browser: "Firefox"}})
	if _, err := set.Write(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, _, err := footerText(f)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What is read is written again to the byte.
func TestFooterStays(t *testing.T) {
	text := realFooter(t)
	n, err := parseStruct(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := appendStruct(nil, n); !bytes.Equal(got, text) {
		t.Errorf("%x\nbecame\n%x", text, got)
	}
}

// What stands in no footer of today: all kinds, long field ids, bools in lists, deep values.
func TestThrift(t *testing.T) {
	deep := bytes.Repeat([]byte{0x1c}, maxDepth-1)
	whole := append(append(deep, 0x11), make([]byte, maxDepth)...)
	for _, c := range []struct {
		name string
		text []byte
		ok   bool
	}{
		{"empty", []byte{0}, true},
		{"bools", []byte{0x11, 0x12, 0x19, 0x21, 1, 2, 0}, true},
		{"a byte, a double", []byte{0x13, 0xff, 0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0}, true},
		{"field 1000", []byte{0x05, 0xd0, 0x0f, 0x2a, 0}, true},
		{"a list of 16", append([]byte{0x19, 0xf3, 16}, make([]byte, 17)...), true},
		{"as deep as may be", whole, true},
		{"deeper", append([]byte{0x1c}, append(whole, 0)...), false},
		{"nothing", nil, false},
		{"no end", []byte{0x11}, false},
		{"more than its end", []byte{0, 0}, false},
		{"field 0", []byte{0x05, 0, 0x2a, 0}, false},
		{"fields backwards", []byte{0x25, 2, 0x05, 2, 2, 0}, false},
		{"a map", []byte{0x1b, 0, 0}, false},
		{"a text longer than all", []byte{0x18, 5, 'a', 0}, false},
		{"a list of two billion", []byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0}, false},
		{"a number without end", bytes.Repeat([]byte{0x16, 0xff}, 12), false},
	} {
		n, err := parseStruct(c.text)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && !bytes.Equal(appendStruct(nil, n), c.text) {
			t.Errorf("%s: %x became %x", c.name, c.text, appendStruct(nil, n))
		}
	}
}

func FuzzThrift(f *testing.F) {
	f.Add(realFooter(f))
	f.Add([]byte{0x11, 0x12, 0x19, 0x21, 1, 2, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseStruct(text)
		if err != nil {
			return
		}
		again, err := parseStruct(appendStruct(nil, n))
		if err != nil || !reflect.DeepEqual(n, again) {
			t.Errorf("%x became another: %v", text, err)
		}
	})
}
