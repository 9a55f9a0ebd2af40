package jsonscan

// space steps over white space.
func (s *Strict) space(i int) int {
	for i < len(s.text) {
		if c := s.text[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

// str reads the string whose opening quote is at i, up to behind the closing one.
func (s *Strict) str(i int) int {
	for i++; ; {
		i = special(s.text, i)
		switch {
		case i >= len(s.text):
			return s.fail(i, "a string has no end")
		case s.text[i] == '"':
			return i + 1
		case s.text[i] != '\\':
			return s.fail(i, "a control character in a string")
		}
		if i = s.escape(i); i < 0 {
			return i
		}
	}
}

// escape reads the escape whose backslash is at i.
func (s *Strict) escape(i int) int {
	if i+1 >= len(s.text) {
		return s.fail(i+1, "a string has no end")
	}
	switch s.text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(s.text) || !hex(s.text[j]) {
				return s.fail(j, `expected four hexadecimal digits after "\u"`)
			}
		}
		return i + 6
	}
	return s.fail(i+1, "no such escape in a string")
}

func hex(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func digit(c byte) bool { return c-'0' < 10 }

// word reads true, false or null.
func (s *Strict) word(i int, want string) int {
	for j := range len(want) {
		if i+j >= len(s.text) || s.text[i+j] != want[j] {
			return s.fail(i+j, "expected true, false or null")
		}
	}
	return i + len(want)
}

// number reads a number: an integer without leading zeros, a fraction, an exponent.
func (s *Strict) number(i int) int {
	switch s.text[i] {
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
	default:
		return s.fail(i, "expected a value")
	}
	if s.text[i] == '-' {
		i++
	}
	if i < len(s.text) && s.text[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return i
	}
	if i < len(s.text) && s.text[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return i
		}
	}
	if i < len(s.text) && s.text[i]|0x20 == 'e' {
		if i++; i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits reads at least one digit.
func (s *Strict) digits(i int) int {
	start := i
	for i < len(s.text) && digit(s.text[i]) {
		i++
	}
	if i == start {
		return s.fail(i, "expected a digit in a number")
	}
	return i
}
