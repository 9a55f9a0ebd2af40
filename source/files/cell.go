package files

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// kind is what a cell's text is.
type kind uint8

const (
	absent  kind = iota // null, or an empty cell of a CSV
	isText              // text as it is
	literal             // text that is valid JSON: a number, true, false, an object
	isTime              // RFC 3339
)

// cell is one value of a row.
type cell struct {
	kind kind
	text []byte
}

// number turns the text of a CSV's cell into a JSON number, or leaves it as text: what is no number must stay
// readable, and the typed column then counts a conflict.
func number(c cell, decimal byte) cell {
	text := bytes.TrimSpace(c.text)
	if decimal == ',' {
		if bytes.IndexByte(text, '.') >= 0 {
			return c // thousands or a mistake: not ours to guess
		}
		text = bytes.Replace(text, []byte{','}, []byte{'.'}, 1)
	}
	if !isJSONNumber(text) {
		return c
	}
	return cell{literal, text}
}

// isJSONNumber follows RFC 8259 §6, so that "007" and "1e" stay text.
func isJSONNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n]-'0' < 10 {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1]-'0' < 10 || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

const hexDigits = "0123456789abcdef"

// quote appends text as a JSON string. Bytes that are no UTF-8 become U+FFFD: the file keeps the original.
func quote(dst, text []byte) []byte {
	dst = append(dst, '"')
	for len(text) > 0 {
		c := text[0]
		switch {
		case c == '"' || c == '\\':
			dst, text = append(dst, '\\', c), text[1:]
		case c < 0x20:
			dst, text = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15]), text[1:]
		case c < utf8.RuneSelf:
			dst, text = append(dst, c), text[1:]
		default:
			r, n := utf8.DecodeRune(text)
			dst, text = utf8.AppendRune(dst, r), text[n:]
		}
	}
	return append(dst, '"')
}

func (c cell) appendJSON(dst []byte) []byte {
	if c.kind == literal {
		return append(dst, c.text...)
	}
	return quote(dst, c.text)
}

// appendText appends the cell as a JSON string whatever it is: identifiers are text.
func (c cell) appendText(dst []byte) []byte { return quote(dst, c.text) }

func float(dst []byte, f float64, bits int) []byte { return strconv.AppendFloat(dst, f, 'g', -1, bits) }
