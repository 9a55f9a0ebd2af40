package jsonscan

import (
	"fmt"
	"unicode/utf8"
)

const (
	// MaxEventDepth is how deep an event's braces and brackets may nest, its own braces being the first.
	MaxEventDepth = 64
	// MaxEventMembers is how many members an event's objects may have, all of them together.
	MaxEventMembers = 2000

	// deepest is what Strict follows at all. encoding/json stops at the same depth.
	deepest = 10_000
)

// Strict reads one JSON text by RFC 8259 in one pass, without allocating, and hands out spans of it as they stand
// there. The caller steps into the containers it wants to see and takes every other value whole:
//
//	s.Reset(text, 0)
//	s.Enter()
//	for name, ok := s.Key(); ok; name, ok = s.Key() {
//		value := s.Value()
//	}
//	err := s.End()
//
// The first error ends every such loop and stays. Names come as they are written, escapes unresolved; a name may
// come twice. Bytes inside strings are not looked at for UTF-8: utf8.Valid is faster over the whole text, and what is
// wrong in there hides nothing beside it.
type Strict struct {
	text    []byte
	at      int
	max     int // depth
	depth   int
	first   bool // just inside a container: no comma stands before the first item
	base    int  // the depth at the last Mark
	reached int  // the greatest depth since then
	members int  // object members since then
	err     *SyntaxError
	object  [(deepest + 63) / 64]uint64 // one bit a level: set for an object, clear for an array
}

// SyntaxError says why a text is no JSON.
type SyntaxError struct {
	Offset int    // of the byte that cannot stand there, counted from 0; the text's length where it ends too early
	What   string // "expected a value", "a control character in a string"
	Max    int    // the depth limit, where that is the reason; else 0
}

// Error is written to follow the words "is no JSON:".
func (e *SyntaxError) Error() string {
	if e.Max > 0 {
		return fmt.Sprintf("at byte %d: %s %d levels", e.Offset, e.What, e.Max)
	}
	return fmt.Sprintf("at byte %d: %s", e.Offset, e.What)
}

// Valid reports whether text is one JSON value in UTF-8. It agrees with encoding/json, which lets bad UTF-8 pass.
func Valid(text []byte) bool {
	var s Strict
	s.Reset(text, 0)
	s.Value()
	return s.End() == nil && utf8.Valid(text)
}

// InvalidUTF8 is the offset of the first byte that is no UTF-8, or -1.
func InvalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// Reset begins with a text, which may nest up to maxDepth levels; 0 is 10,000, the most there is.
func (s *Strict) Reset(text []byte, maxDepth int) {
	if maxDepth <= 0 || maxDepth > deepest {
		maxDepth = deepest
	}
	s.text, s.at, s.max = text, 0, maxDepth
	s.depth, s.first, s.err = 0, false, nil
	s.Mark()
}

// Mark starts the measure of a value that is about to be read.
func (s *Strict) Mark() { s.base, s.reached, s.members = s.depth, s.depth, 0 }

// Measure says how deep what was read since Mark is nested, and how many members its objects have in all.
func (s *Strict) Measure() (depth, members int) { return s.reached - s.base, s.members }

// At is the offset of the next byte to be read. After Peek it is where the next value begins.
func (s *Strict) At() int { return s.at }

// Err is the first error so far.
func (s *Strict) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Peek steps to the next value and returns its first byte, which tells its kind; 0 at the end of the text and after
// an error.
func (s *Strict) Peek() byte {
	if s.err != nil {
		return 0
	}
	s.at = s.space(s.at)
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// Enter steps into the object or array that stands next. Key or Element then lead through it and out again.
func (s *Strict) Enter() bool {
	c := s.Peek()
	if s.err != nil || c != '{' && c != '[' {
		return s.fail(s.at, "expected an object or an array") >= 0
	}
	s.first = true
	if !s.push(s.at, c == '{') {
		return false
	}
	s.at++
	return true
}

// Key reads the name of the object's next member, without its quotes, up to the member's value. It is false after
// the last member, behind the closing brace, and after an error.
func (s *Strict) Key() (name []byte, ok bool) {
	i := s.item('}')
	if i < 0 {
		return nil, false
	}
	end, value := s.name(i)
	if value < 0 {
		return nil, false
	}
	s.at = value
	return s.text[i+1 : end], true
}

// Element steps to the array's next element. It is false after the last one, behind the closing bracket, and after
// an error.
func (s *Strict) Element() bool {
	i := s.item(']')
	if i < 0 {
		return false
	}
	s.at = i
	return true
}

// Value reads one whole value and returns its bytes; nil after an error.
func (s *Strict) Value() []byte {
	if s.err != nil {
		return nil
	}
	i := s.space(s.at)
	start, floor := i, s.depth
	for more, opened := true, false; more; {
		if i, opened = s.begin(i); i >= 0 && !opened {
			i, more = s.next(i, floor)
		}
		if i >= 0 && more && s.inObject() {
			_, i = s.name(i)
		}
		if i < 0 {
			return nil
		}
	}
	s.at = i
	return s.text[start:i]
}

// End returns the first error; that something follows the value is one.
func (s *Strict) End() error {
	if s.err == nil {
		if s.at = s.space(s.at); s.at < len(s.text) {
			s.fail(s.at, "something follows the value")
		}
	}
	return s.Err()
}

// item steps to the next item of the container, or out of it behind its closing bracket; then, and after an error,
// it is negative.
func (s *Strict) item(closing byte) int {
	if s.err != nil {
		return -1
	}
	i := s.space(s.at)
	switch {
	case i < len(s.text) && s.text[i] == closing:
		s.depth--
		s.first, s.at = false, i+1
		return -1
	case s.first:
		s.first = false
		return i
	case i < len(s.text) && s.text[i] == ',':
		return s.space(i + 1)
	}
	return s.fail(i, afterItem(closing == '}'))
}

func afterItem(object bool) string {
	if object {
		return `expected a comma or "}" after a member`
	}
	return `expected a comma or "]" after an element`
}

// begin reads a number, a string, a word or an empty container from i on, or steps into a container: opened.
func (s *Strict) begin(i int) (next int, opened bool) {
	if i >= len(s.text) {
		return s.fail(i, "expected a value"), false
	}
	switch c := s.text[i]; c {
	case '"':
		return s.str(i), false
	case '{', '[':
		if !s.push(i, c == '{') {
			return -1, false
		}
		i = s.space(i + 1)
		if i < len(s.text) && s.text[i] == c+2 { // "{" and "}", "[" and "]" are two apart
			s.depth--
			return i + 1, false
		}
		return i, true
	case 't':
		return s.word(i, "true"), false
	case 'f':
		return s.word(i, "false"), false
	case 'n':
		return s.word(i, "null"), false
	}
	return s.number(i), false
}

// next goes on behind a value: out of the containers that end there, and past the comma to the next item. When it
// is back at depth floor there is no more.
func (s *Strict) next(i, floor int) (next int, more bool) {
	for s.depth > floor {
		if i >= len(s.text) || s.text[i] <= ' ' {
			i = s.space(i)
		}
		object := s.inObject()
		switch {
		case i < len(s.text) && s.text[i] == ',':
			return s.space(i + 1), true
		case i < len(s.text) && (object && s.text[i] == '}' || !object && s.text[i] == ']'):
			s.depth--
			i++
		default:
			return s.fail(i, afterItem(object)), false
		}
	}
	return i, false
}

// name reads a member's name and the colon; end is the closing quote, value where the value begins, or negative.
func (s *Strict) name(i int) (end, value int) {
	if i >= len(s.text) || s.text[i] != '"' {
		return 0, s.fail(i, "expected a member's name in quotes")
	}
	s.members++
	if i = s.str(i); i < 0 {
		return 0, -1
	}
	end = i - 1
	if i = s.space(i); i >= len(s.text) || s.text[i] != ':' {
		return 0, s.fail(i, "expected a colon after a member's name")
	}
	return end, s.space(i + 1)
}

func (s *Strict) inObject() bool {
	return s.object[(s.depth-1)>>6]>>((s.depth-1)&63)&1 != 0
}

func (s *Strict) push(i int, object bool) bool {
	if s.depth >= s.max {
		s.fail(i, "nested deeper than")
		s.err.Max = s.max
		return false
	}
	word, bit := &s.object[s.depth>>6], uint64(1)<<(s.depth&63)
	if *word &^= bit; object {
		*word |= bit
	}
	s.depth++
	s.reached = max(s.reached, s.depth)
	return true
}

// fail keeps the first error. It is -1, for the caller to return.
func (s *Strict) fail(i int, what string) int {
	if s.err == nil {
		if i >= len(s.text) {
			what = "the text ends: " + what
		}
		s.err = &SyntaxError{Offset: min(i, len(s.text)), What: what}
	}
	return -1
}
