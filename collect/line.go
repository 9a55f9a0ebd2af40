package collect

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"kith/event"
)

// A raw line is one JSON object. The journal writes seq and received_at in front of what stands here:
//
//	{"source":"web","source_id":3,"door":"events","key":"…","ip":"…","ua":"…","sent_at":…,"claimed_at":…,
//	 "batch":{"context":{…},"integrations":{…}},"event":{…}}
//
// sent_at is what the sender wrote, a string as a rule. claimed_at is integer microseconds. event is the bytes as they
// came, with a space for each line end; it need not be an object. What is no JSON or no UTF-8 stands in base64 as
// "bytes" in place of it. All but source, source_id, door and the event are left out where there is nothing to say.

// maxAgent is how much of the User-Agent header stands in every line.
const maxAgent = 512

// sender is what every line of a request says of where it came from. Empty fields are left out.
type sender struct {
	source   string
	sourceID event.SourceID
	door     string
	key      string
	ip       string
	agent    string
}

// appendHead writes what stands before claimed_at in every line of the message.
func (m *message) appendHead(dst []byte, from sender) []byte {
	dst = appendString(append(dst, `{"source":`...), from.source)
	dst = strconv.AppendInt(append(dst, `,"source_id":`...), int64(from.sourceID), 10)
	dst = appendString(append(dst, `,"door":`...), from.door)
	for _, f := range [...]struct{ name, value string }{{`,"key":`, from.key}, {`,"ip":`, from.ip}, {`,"ua":`, from.agent}} {
		if f.value != "" {
			dst = appendString(append(dst, f.name...), f.value)
		}
	}
	if sent := m.envelope.sentAt; given(sent) && sent[0] != '{' && sent[0] != '[' {
		dst = appendRaw(append(dst, `,"sent_at":`...), sent)
	}
	return dst
}

// appendTail writes what stands between claimed_at and the event in every line of the message.
func (m *message) appendTail(dst []byte) []byte {
	around := m.envelope
	if !given(around.context) && !given(around.integrations) {
		return dst
	}
	dst = append(dst, `,"batch":{`...)
	if given(around.context) {
		dst = appendRaw(append(dst, `"context":`...), around.context)
	}
	if given(around.integrations) {
		if given(around.context) {
			dst = append(dst, ',')
		}
		dst = appendRaw(append(dst, `"integrations":`...), around.integrations)
	}
	return append(dst, '}')
}

func given(value []byte) bool { return len(value) > 0 && string(value) != "null" }

// size is how many bytes appendLines writes, and which record has the longest line.
func (m *message) size(around int) (all, longest, index int) {
	for i := range m.records {
		r := &m.records[i]
		n := around + r.end - r.start + len(`,"event":}`) + 1
		if r.fault == notJSON {
			n = around + base64.StdEncoding.EncodedLen(r.end-r.start) + len(`,"bytes":""}`) + 1
		}
		if r.claimed != 0 {
			n += len(`,"claimed_at":`) + 16 // digits until the year 2286
		}
		if all += n; n > longest {
			longest, index = n, i
		}
	}
	return all, longest, index
}

// appendLines writes a line for each record.
func (m *message) appendLines(dst, head, tail []byte) []byte {
	folded := bytes.IndexByte(m.body, '\n') >= 0 || bytes.IndexByte(m.body, '\r') >= 0
	for i := range m.records {
		r := &m.records[i]
		dst = append(dst, head...)
		if r.claimed != 0 {
			dst = strconv.AppendInt(append(dst, `,"claimed_at":`...), r.claimed, 10)
		}
		dst = append(dst, tail...)
		raw := m.body[r.start:r.end]
		switch {
		case r.fault == notJSON:
			dst = append(dst, `,"bytes":"`...)
			dst = append(base64.StdEncoding.AppendEncode(dst, raw), '"')
		case folded:
			dst = appendRaw(append(dst, `,"event":`...), raw)
		default:
			dst = append(append(dst, `,"event":`...), raw...)
		}
		dst = append(dst, '}', '\n')
	}
	return dst
}

// appendRaw copies JSON onto one line. Line ends stand only between its tokens: a string cannot hold one.
func appendRaw(dst, raw []byte) []byte {
	start := len(dst)
	dst = append(dst, raw...)
	for i, c := range dst[start:] {
		if c == '\n' || c == '\r' {
			dst[start+i] = ' '
		}
	}
	return dst
}

// appendString writes text as a JSON string; what is no UTF-8 in it becomes U+FFFD.
func appendString(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// unquoted is the inside of a JSON string.
func unquoted(value []byte) (inner []byte, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	return value[1 : len(value)-1], true
}
