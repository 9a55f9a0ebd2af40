package duck

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// appendText writes a value that is not null as text, the same in every format. Numbers have all their digits,
// timestamps are RFC 3339 (with a Z if the type has a zone), intervals are ISO 8601, blobs are base64, lists,
// structs and maps are JSON.
func (v *vector) appendText(dst []byte, i int) []byte {
	switch v.id {
	case duckdb.TypeBoolean:
		return strconv.AppendBool(dst, at[bool](v, i))
	case duckdb.TypeTinyInt, duckdb.TypeUTinyInt, duckdb.TypeSmallInt, duckdb.TypeUSmallInt, duckdb.TypeInteger,
		duckdb.TypeUInteger, duckdb.TypeBigInt:
		return strconv.AppendInt(dst, v.integer(i), 10)
	case duckdb.TypeUBigInt:
		return strconv.AppendUint(dst, at[uint64](v, i), 10)
	case duckdb.TypeHugeInt, duckdb.TypeUHugeInt:
		h := at[huge](v, i)
		if h.high == 0 {
			return strconv.AppendUint(dst, h.low, 10)
		}
		return h.big(v.id == duckdb.TypeUHugeInt).Append(dst, 10)
	case duckdb.TypeFloat:
		return appendFloat(dst, float64(at[float32](v, i)), 32)
	case duckdb.TypeDouble:
		return appendFloat(dst, at[float64](v, i), 64)
	case duckdb.TypeDecimal:
		if v.storage == duckdb.TypeHugeInt {
			return appendDecimal(dst, at[huge](v, i).big(false).String(), v.scale)
		}
		return appendDecimal(dst, strconv.FormatInt(v.integer(i), 10), v.scale)
	case duckdb.TypeVarchar:
		return append(dst, v.bytes(i)...)
	case duckdb.TypeEnum:
		return append(dst, v.words[v.integer(i)]...)
	case duckdb.TypeBlob:
		return base64.StdEncoding.AppendEncode(dst, v.bytes(i))
	case duckdb.TypeBit:
		return appendBits(dst, v.bytes(i))
	case duckdb.TypeUUID:
		return appendUUID(dst, at[huge](v, i))
	case duckdb.TypeDate, duckdb.TypeTime, duckdb.TypeTimeTZ, duckdb.TypeTimestamp, duckdb.TypeTimestampS,
		duckdb.TypeTimestampMS, duckdb.TypeTimestampNS, duckdb.TypeTimestampTZ, duckdb.TypeInterval:
		return v.appendTime(dst, i)
	}
	return v.appendJSON(dst, i)
}

// appendJSON writes a value, null too, as JSON. What JSON has no number for (NaN, the infinities) is a string.
func (v *vector) appendJSON(dst []byte, i int) []byte {
	if v.null(i) {
		return append(dst, "null"...)
	}
	switch v.id {
	case duckdb.TypeStruct:
		return v.appendStruct(dst, i)
	case duckdb.TypeUnion:
		return v.child[1+int(at[uint8](&v.child[0], i))].appendJSON(dst, i)
	case duckdb.TypeMap:
		return v.appendMap(dst, i)
	case duckdb.TypeList, duckdb.TypeArray:
		dst = append(dst, '[')
		from, to := v.span(i)
		for j := from; j < to; j++ {
			if j > from {
				dst = append(dst, ',')
			}
			dst = v.child[0].appendJSON(dst, j)
		}
		return append(dst, ']')
	case duckdb.TypeVarchar:
		if v.json && json.Valid(v.bytes(i)) {
			return appendLine(dst, v.bytes(i))
		}
		return appendString(dst, v.bytes(i))
	case duckdb.TypeFloat, duckdb.TypeDouble:
		before := len(dst)
		dst = v.appendText(dst, i)
		if c := dst[len(dst)-1]; c < '0' || c > '9' {
			return appendString(dst[:before], append([]byte(nil), dst[before:]...))
		}
		return dst
	case duckdb.TypeBoolean, duckdb.TypeTinyInt, duckdb.TypeUTinyInt, duckdb.TypeSmallInt, duckdb.TypeUSmallInt,
		duckdb.TypeInteger, duckdb.TypeUInteger, duckdb.TypeBigInt, duckdb.TypeUBigInt, duckdb.TypeHugeInt,
		duckdb.TypeUHugeInt, duckdb.TypeDecimal:
		return v.appendText(dst, i)
	}
	return appendString(dst, v.appendText(nil, i))
}

func (v *vector) appendStruct(dst []byte, i int) []byte {
	unnamed := len(v.names) > 0 && v.names[0] == ""
	open, end := byte('{'), byte('}')
	if unnamed {
		open, end = '[', ']'
	}
	dst = append(dst, open)
	for j := range v.child {
		if j > 0 {
			dst = append(dst, ',')
		}
		if !unnamed {
			dst = append(appendString(dst, []byte(v.names[j])), ':')
		}
		dst = v.child[j].appendJSON(dst, i)
	}
	return append(dst, end)
}

func (v *vector) appendMap(dst []byte, i int) []byte {
	dst = append(dst, '{')
	from, to := v.span(i)
	for j := from; j < to; j++ {
		if j > from {
			dst = append(dst, ',')
		}
		dst = appendString(dst, v.child[0].appendText(nil, j))
		dst = append(dst, ':')
		dst = v.child[1].appendJSON(dst, j)
	}
	return append(dst, '}')
}

// appendLine writes JSON text on one line: outside of strings, which cannot hold one, a line break is white space.
func appendLine(dst, text []byte) []byte {
	at := len(dst)
	dst = append(dst, text...)
	for i := at; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func appendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text[i:])
			if r != utf8.RuneError || n > 1 {
				i += n - 1
				continue
			}
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c >= utf8.RuneSelf:
			dst = append(dst, "\ufffd"...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f != 0 && (math.Abs(f) >= 1e21 || math.Abs(f) < 1e-6):
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

func appendDecimal(dst []byte, digits string, scale int) []byte {
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	return append(append(dst, '.'), digits[len(digits)-scale:]...)
}

// appendBits writes a BIT: its first byte says how many bits of the second are padding.
func appendBits(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	for i := int(b[0]); i < (len(b)-1)*8; i++ {
		dst = append(dst, '0'+b[1+i/8]>>(7-i%8)&1)
	}
	return dst
}

func appendUUID(dst []byte, h huge) []byte {
	high := uint64(h.high) ^ 1<<63 // stored with the sign turned, so that it sorts
	for i, word := range [2]uint64{high, h.low} {
		for shift := 60; shift >= 0; shift -= 4 {
			if nibble := i*16 + (60-shift)/4; nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
				dst = append(dst, '-')
			}
			dst = append(dst, hexDigits[word>>shift&15])
		}
	}
	return dst
}

const (
	dateForm      = "2006-01-02"
	clockForm     = "15:04:05.000000"
	timestampForm = dateForm + "T" + clockForm
)

func (v *vector) appendTime(dst []byte, i int) []byte {
	switch v.id {
	case duckdb.TypeDate:
		days := at[int32](v, i)
		if text := infinity(int64(days), math.MaxInt32); text != "" {
			return append(dst, text...)
		}
		return time.Unix(int64(days)*86400, 0).UTC().AppendFormat(dst, dateForm)
	case duckdb.TypeTime:
		return appendClock(dst, at[int64](v, i))
	case duckdb.TypeTimeTZ:
		bits := at[uint64](v, i)
		offset := 57599 - int(bits&0xffffff) // seconds east; DuckDB stores it so that times sort
		dst = appendClock(dst, int64(bits>>24))
		return time.Unix(0, 0).In(time.FixedZone("", offset)).AppendFormat(dst, "-07:00")
	case duckdb.TypeInterval:
		months, days := at[[4]int32](v, i)[0], at[[4]int32](v, i)[1]
		return appendInterval(dst, int64(months), int64(days), at[[2]int64](v, i)[1])
	}
	x := at[int64](v, i)
	if text := infinity(x, math.MaxInt64); text != "" {
		return append(dst, text...)
	}
	switch v.id {
	case duckdb.TypeTimestampS:
		return time.Unix(x, 0).UTC().AppendFormat(dst, timestampForm)
	case duckdb.TypeTimestampMS:
		return time.UnixMilli(x).UTC().AppendFormat(dst, timestampForm)
	case duckdb.TypeTimestampNS:
		return time.Unix(0, x).UTC().AppendFormat(dst, timestampForm+"000")
	case duckdb.TypeTimestampTZ:
		return append(time.UnixMicro(x).UTC().AppendFormat(dst, timestampForm), 'Z')
	}
	return time.UnixMicro(x).UTC().AppendFormat(dst, timestampForm)
}

func infinity(x, most int64) string {
	switch x {
	case most:
		return "infinity"
	case -most:
		return "-infinity"
	}
	return ""
}

// appendClock writes a time of day; 24:00:00 is one.
func appendClock(dst []byte, micros int64) []byte {
	if micros == 86400e6 {
		return append(dst, "24:00:00.000000"...)
	}
	return time.UnixMicro(micros).UTC().AppendFormat(dst, clockForm)
}

// appendInterval writes ISO 8601 with a sign at each part: P1Y2M3DT4H5M6.5S.
func appendInterval(dst []byte, months, days, micros int64) []byte {
	dst = append(dst, 'P')
	part := func(n int64, unit byte) {
		if n != 0 {
			dst = append(strconv.AppendInt(dst, n, 10), unit)
		}
	}
	part(months/12, 'Y')
	part(months%12, 'M')
	part(days, 'D')
	if micros != 0 {
		dst = append(dst, 'T')
		part(micros/3600e6, 'H')
		part(micros/60e6%60, 'M')
		if rest := micros % 60e6; rest%1e6 == 0 {
			part(rest/1e6, 'S')
		} else {
			dst = append(appendDecimal(dst, strconv.FormatInt(rest, 10), 6), 'S')
		}
	} else if months == 0 && days == 0 {
		dst = append(dst, "T0S"...)
	}
	return dst
}
