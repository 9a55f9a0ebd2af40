package prepare

// units reads a JSON number as ten-thousandths, exactly, rounding half away from zero; false where it is no number or
// has more than the 18 digits of decimal(18,4).
func units(number []byte) (int64, bool) {
	const limit = 1_000_000_000_000_000_000
	negative := len(number) > 0 && number[0] == '-'
	if negative {
		number = number[1:]
	}
	digits, exponent, ok := splitExponent(number)
	if !ok {
		return 0, false
	}
	whole := len(digits)
	for i, d := range digits {
		if d == '.' {
			whole = i
			break
		}
	}
	// Of the digits, so many stand left of the fifth decimal; the next one decides the rounding.
	left := whole + exponent + 4
	n, seen := int64(0), 0
	for i, d := range digits {
		if i == whole {
			continue
		}
		if d -= '0'; d > 9 {
			return 0, false
		}
		switch {
		case seen < left:
			if n > (limit-1)/10 {
				return 0, false
			}
			n = n*10 + int64(d)
		case seen == left && d >= 5:
			n++
		}
		seen++
	}
	for ; seen < left && n != 0; seen++ {
		if n > (limit-1)/10 {
			return 0, false
		}
		n *= 10
	}
	if seen == 0 || n >= limit {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// splitExponent cuts the exponent off. One so great that its size no longer matters is cut down to a size that adds up.
func splitExponent(number []byte) (digits []byte, exponent int, ok bool) {
	const enough = 1 << 30
	at := 0
	for at < len(number) && number[at]|0x20 != 'e' {
		at++
	}
	if at == len(number) {
		return number, 0, true
	}
	digits, number = number[:at], number[at+1:]
	negative := len(number) > 0 && number[0] == '-'
	if negative || len(number) > 0 && number[0] == '+' {
		number = number[1:]
	}
	for _, d := range number {
		if d -= '0'; d > 9 {
			return nil, 0, false
		}
		exponent = min(exponent*10+int(d), enough)
	}
	if negative {
		exponent = -exponent
	}
	return digits, exponent, len(number) > 0
}
