package duck

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"kith/event"
)

// Whatever a child sends, the parent allocates no more than a frame may have, and reads back what was written.
func FuzzReadFrame(f *testing.F) {
	var b bytes.Buffer
	if err := writeFrame(&b, frameData, []byte("abc")); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{0, 0, 0, 0, 'd'})
	f.Add([]byte{255, 255, 255, 255, 'd', 1})
	f.Add([]byte{3, 0, 0, 0, 'd', 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var buffer []byte
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			kind, payload, err := readFrame(r, &buffer)
			if cap(buffer) > maxFrame {
				t.Fatalf("%d bytes allocated", cap(buffer))
			}
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := writeFrame(&again, kind, payload); err != nil || !bytes.HasPrefix(data, again.Bytes()) {
				t.Fatalf("%q %q: %v", kind, payload, err)
			}
			data = data[again.Len():]
		}
	})
}

func TestFrameThatIsTooLarge(t *testing.T) {
	if err := writeFrame(io.Discard, frameData, make([]byte, maxFrame)); err == nil {
		t.Error("written")
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\n\t\r\x00\x1f\x7f ä€😀 \xff\xc3 \u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, []byte(s)), &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		var want string
		if text, err := json.Marshal(s); err != nil || json.Unmarshal(text, &want) != nil {
			t.Fatal(err)
		}
		if back != want {
			t.Fatalf("%q came back as %q, not %q", s, back, want)
		}
	})
}

func TestFailure(t *testing.T) {
	for _, c := range []struct {
		text    string
		code    event.Code
		message string
		at      int
		retire  bool
	}{
		{`Binder Error: {"exception_type":"Binder","exception_message":"no\nx\n\nLINE 1: secret","position":"7"}`, event.Invalid, "no x", 7, false},
		{`{"exception_type":"Out of Memory","exception_message":"full\n\nPossible solutions:\n* none"}`, event.Resource, "the query needed more memory than its limit: full", -1, false},
		{`{"exception_type":"INTERNAL","exception_message":"broken"}`, event.Internal, "broken", -1, true},
		{`{"exception_type":"INTERRUPT","exception_message":"Interrupted!"}`, event.Canceled, "Interrupted!", -1, false},
		{`Catalog Error: plain`, event.Invalid, "Catalog Error: plain", -1, false},
		{`std::bad_alloc`, event.Resource, "the query needed more memory than its limit: std::bad_alloc", -1, true},
		{``, event.Internal, "", -1, true},
		{`{"half`, event.Internal, `{"half`, -1, true},
	} {
		f := failure(c.text)
		if f.Code != c.code || f.Message != c.message || f.Position != c.at || f.Retire != c.retire || strings.Contains(f.Message, "LINE") {
			t.Errorf("%s: %+v", c.text, f)
		}
	}
}
