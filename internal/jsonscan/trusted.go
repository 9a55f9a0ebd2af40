package jsonscan

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Kind is what a value is, seen from its first byte.
type Kind uint8

// The kinds. None stands where there is no value.
const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// Cursor walks over JSON that Scan, or whoever else let it in, has found valid. It checks only what it needs in order
// to go on: bytes that are no JSON may be read as something, but never make it panic, loop or read outside. OK says at
// the end whether it lost its way. The zero Cursor is ready for Reset.
//
//	for c.Enter(); c.Member(); {
//		switch string(c.Key()) {
//		case "name":
//			text, escaped := c.String()
//		default:
//			c.Skip()
//		}
//	}
//
// Each member's value must be taken exactly once: by String, by Skip, or by an Enter with its own loop.
type Cursor struct {
	b       []byte
	i       int
	key     []byte
	keyAt   int
	names   []byte // where a key with escapes is spelled out
	depth   int
	base    int  // the depth at the last Mark
	reached int  // the greatest depth since then
	members int  // since then
	first   bool // the next member is the first one of its object
	lost    bool
}

// Reset puts the cursor before the first value in b.
func (c *Cursor) Reset(b []byte) {
	// Names spelled out so far stay as they are; new ones go behind them.
	*c = Cursor{b: b, names: c.names[len(c.names):]}
	c.space()
}

// OK reports whether everything up to here looked like JSON.
func (c *Cursor) OK() bool { return !c.lost }

// Pos is the index of the next byte.
func (c *Cursor) Pos() int { return c.i }

// Since returns the bytes from index from up to here.
func (c *Cursor) Since(from int) []byte { return c.b[min(from, c.i):c.i] }

// Mark begins a measurement.
func (c *Cursor) Mark() { c.base, c.reached, c.members = c.depth, c.depth, 0 }

// Measure says how many objects and arrays were open within one another since Mark, and how many members came by, as
// Strict counts them.
func (c *Cursor) Measure() (depth, members int) { return c.reached - c.base, c.members }

// Kind looks at the value under the cursor without taking it.
func (c *Cursor) Kind() Kind {
	if c.i >= len(c.b) {
		return None
	}
	switch b := c.b[c.i]; {
	case b == '"':
		return String
	case b == '{':
		return Object
	case b-'0' < 10 || b == '-':
		return Number
	case b == '[':
		return Array
	case b == 't' || b == 'f':
		return Bool
	case b == 'n':
		return Null
	}
	return None
}

// Enter steps into the object under the cursor.
func (c *Cursor) Enter() {
	if c.i >= len(c.b) || c.b[c.i] != '{' {
		c.lose()
		return
	}
	c.i++
	c.first = true
	c.depth++
	c.reached = max(c.reached, c.depth)
}

// Member goes to the value of the object's next member. At the object's end it steps out and returns false.
func (c *Cursor) Member() bool {
	c.space()
	if !c.first && c.i < len(c.b) && c.b[c.i] == ',' {
		c.i++
		c.space()
	} else if c.i < len(c.b) && c.b[c.i] == '}' {
		c.i++
		c.first = false
		c.depth--
		return false
	} else if !c.first {
		return c.lose()
	}
	c.first = false
	c.keyAt = c.i
	key, escaped := c.String()
	if escaped {
		key = c.spellName(key)
	}
	c.key = key
	c.space()
	if c.i >= len(c.b) || c.b[c.i] != ':' {
		return c.lose()
	}
	c.i++
	c.members++
	c.space()
	return c.i < len(c.b) || c.lose()
}

// spellName resolves a name's escapes into space of its own, because an object inside may have such a name too before
// this one is done with.
func (c *Cursor) spellName(key []byte) []byte {
	from := len(c.names)
	c.names = Unescape(c.names, key)
	return c.names[from:len(c.names):len(c.names)]
}

// Key is the name of the member that the last Member found, without escapes.
func (c *Cursor) Key() []byte { return c.key }

// KeyPos is the index at which that member begins; Since(KeyPos()) is the member as it was written.
func (c *Cursor) KeyPos() int { return c.keyAt }

// String takes a string: what stands between its quotes, and whether it holds escapes, which Unescape resolves.
func (c *Cursor) String() (text []byte, escaped bool) {
	b, from := c.b, c.i+1
	if from > len(b) || b[from-1] != '"' {
		c.lose()
		return nil, false
	}
	i := from
	for i+8 <= len(b) {
		if hit := hits(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
			i += bits.TrailingZeros64(hit) >> 3
			break
		}
		i += 8
	}
	if i < len(b) && b[i] == '"' {
		c.i = i + 1
		return b[from:i:i], false
	}
	return c.longString(from, i)
}

// longString goes on at i with the string that began at from: it holds escapes, or it ends near the end of the text.
func (c *Cursor) longString(from, i int) (text []byte, escaped bool) {
	for {
		i = special(c.b, i)
		switch {
		case i >= len(c.b) || c.b[i] < 0x20:
			c.lose()
			return nil, false
		case c.b[i] == '"':
			c.i = i + 1
			return c.b[from:i:i], escaped
		}
		escaped = true
		i = min(i+2, len(c.b))
	}
}

// hits marks the high bit of the first byte in a word that is a quote, a backslash or a control character, as special
// does; bits above it mean nothing.
func hits(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return (((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((w - ones*0x20) &^ w)) & highs
}

// Skip takes a value of any kind and returns it as it was written.
func (c *Cursor) Skip() []byte {
	from := c.i
	switch c.Kind() {
	case None:
		c.lose()
	case String:
		c.String()
	case Object, Array:
		c.skipNested()
	default:
		for c.i < len(c.b) && !delimiter(c.b[c.i]) {
			c.i++
		}
	}
	if c.lost {
		return nil
	}
	return c.b[from:c.i:c.i]
}

func (c *Cursor) skipNested() {
	for depth := c.depth; c.i < len(c.b); {
		switch c.b[c.i] {
		case '"':
			if c.String(); c.lost {
				return
			}
			continue
		case '{', '[':
			depth++
			c.reached = max(c.reached, depth)
		case ':':
			c.members++
		case '}', ']':
			if depth--; depth == c.depth {
				c.i++
				return
			}
		}
		c.i++
	}
	c.lose()
}

func delimiter(b byte) bool { return b <= ' ' || b == ',' || b == '}' || b == ']' }

func (c *Cursor) space() {
	for c.i < len(c.b) && c.b[c.i] <= ' ' {
		c.i++
	}
}

// lose ends the walk: from here on there is no member and no value.
func (c *Cursor) lose() bool {
	c.lost = true
	c.i = len(c.b)
	return false
}

// Unescape appends to dst what text, the inside of a JSON string, stands for. Half a surrogate pair becomes U+FFFD, as
// in encoding/json.
func Unescape(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r := hex4(text[i+1:])
			i = min(i+4, len(text)-1)
			if rest := text[i+1:]; utf16.IsSurrogate(r) && len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
				if pair := utf16.DecodeRune(r, hex4(rest[2:])); pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r) // half a pair is written as U+FFFD
		default:
			dst = append(dst, text[i])
		}
	}
	return dst
}

func hex4(b []byte) (r rune) {
	if len(b) < 4 {
		return utf8.RuneError
	}
	for _, c := range b[:4] {
		switch {
		case c-'0' < 10:
			r = r<<4 | rune(c-'0')
		case c|0x20-'a' < 6:
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}

// Int reads a number that was written without fraction and exponent; false where it is something else or does not fit.
func Int(number []byte) (int64, bool) {
	digits, negative := number, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) > 18 {
		n, err := strconv.ParseInt(unsafe.String(unsafe.SliceData(number), len(number)), 10, 64)
		return n, err == nil
	}
	var n int64
	for _, d := range digits {
		if d -= '0'; d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if negative {
		n = -n
	}
	return n, true
}

// Float reads a number as the nearest float64; false where it is no number or beyond the greatest.
func Float(number []byte) (float64, bool) {
	if n, ok := Int(number); ok && n > -1<<53 && n < 1<<53 && n != 0 {
		return float64(n), true
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(number), len(number)), 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
