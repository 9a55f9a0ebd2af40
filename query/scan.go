package query

import "strings"

type tokenKind byte

const (
	tokenWord   tokenKind = iota + 1
	tokenNumber           // digits, and whatever follows them without a break
	tokenText             // '…', E'…', $tag$…$tag$, "…"
	tokenSymbol           // one byte
)

// scanner cuts SQL into tokens the way DuckDB's lexer does, as far as it matters for knowing what is code and what is
// text or comment. It never fails: what is not closed runs to the end, and the parser says so.
type scanner struct {
	text     string
	from, to int // the token
	kind     tokenKind
}

func (s *scanner) token() string { return s.text[s.from:s.to] }

// next moves to the next token; false is the end.
func (s *scanner) next() bool {
	s.from = skipBlank(s.text, s.to)
	if s.from >= len(s.text) {
		s.to = len(s.text)
		return false
	}
	rest := s.text[s.from:]
	var n int
	switch c := rest[0]; {
	case c == '\'':
		s.kind, n = tokenText, quoted(rest, '\'', false)
	case c == '"':
		s.kind, n = tokenText, quoted(rest, '"', false)
	case (c == 'e' || c == 'E') && len(rest) > 1 && rest[1] == '\'':
		s.kind, n = tokenText, 1+quoted(rest[1:], '\'', true)
	case c == '$' && dollarTag(rest) != "":
		s.kind, n = tokenText, dollarQuoted(rest)
	case isDigit(c):
		s.kind, n = tokenNumber, span(rest, func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' })
	case isLetter(c):
		s.kind, n = tokenWord, span(rest, func(c byte) bool { return isLetter(c) || isDigit(c) || c == '$' })
	default:
		s.kind, n = tokenSymbol, 1
	}
	s.to = s.from + n
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// skipBlank returns where the next token begins, behind white space and comments. Comments in /* */ nest.
func skipBlank(s string, i int) int {
	for i < len(s) {
		switch {
		case strings.IndexByte(" \t\r\n\f\v", s[i]) >= 0:
			i++
		case strings.HasPrefix(s[i:], "--"):
			end := strings.IndexAny(s[i:], "\r\n")
			if end < 0 {
				return len(s)
			}
			i += end
		case strings.HasPrefix(s[i:], "/*"):
			i = skipComment(s, i)
		default:
			return i
		}
	}
	return i
}

func skipComment(s string, i int) int {
	for depth := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], "*/"):
			i += 2
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(s)
}

// quoted returns the length of a text that begins with quote; a doubled quote does not end it, nor does one behind a
// backslash where those escape.
func quoted(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// dollarTag is the $tag$ at the beginning of s; "" if there is none.
func dollarTag(s string) string {
	n := 1 + span(s[1:], func(c byte) bool { return isLetter(c) || isDigit(c) })
	if n < len(s) && s[n] == '$' && !isDigit(s[1]) {
		return s[:n+1]
	}
	return ""
}

func dollarQuoted(s string) int {
	tag := dollarTag(s)
	end := strings.Index(s[len(tag):], tag)
	if end < 0 {
		return len(s)
	}
	return end + 2*len(tag)
}
