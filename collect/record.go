package collect

import (
	"bytes"
	"unicode/utf8"

	"kith/internal/jsonscan"
)

// record is one event of a body: where it stands, and what is wrong with it.
type record struct {
	start, end int   // its bytes in the body
	claimed    int64 // when it says it was received, in microseconds; 0 where it does not count
	fault      fault
	seen       int                  // what a limit was held against
	value      []byte               // the field that is wrong
	field      string               // its name
	syntax     jsonscan.SyntaxError // how the JSON breaks, and where in the body
}

// message is a body taken apart. Everything in it points into the body.
type message struct {
	body     []byte
	records  []record
	events   int // how many there were: more than records when there were too many
	envelope fields

	bounds   bounds
	limits   *Limits
	backfill bool  // receivedAt counts
	now      int64 // microseconds

	scan    jsonscan.Strict
	base    int  // where in the body the scanned text begins
	utf8    bool // the whole body is
	scratch []byte
}

// fields are the members that a door looks at, of an event or of what stands around a batch, as raw JSON.
type fields struct {
	kind, event, name, user, anonymous      []byte
	received                                []byte
	context, integrations, sentAt, writeKey []byte
}

func (m *message) reset(body []byte) {
	m.body, m.records, m.events, m.base = body, m.records[:0], 0, 0
	m.envelope = fields{}
	m.utf8 = utf8.Valid(body)
	m.scan.Reset(body, maxNesting)
}

// take keeps a member that the door looks at, and reports whether it is one. Of members of one name the last counts.
func (m *message) take(f *fields, name, value []byte) bool {
	switch string(name) {
	case "type":
		f.kind = value
	case "event":
		f.event = value
	case "name":
		f.name = value
	case "userId":
		f.user = value
	case "anonymousId":
		f.anonymous = value
	case "receivedAt":
		f.received = value
	case "context":
		f.context = value
	case "integrations":
		f.integrations = value
	case "sentAt":
		f.sentAt = value
	case "writeKey":
		f.writeKey = value
	default:
		if bytes.IndexByte(name, '\\') < 0 {
			return false
		}
		m.scratch = jsonscan.Unescape(m.scratch[:0], name)
		return bytes.IndexByte(m.scratch, '\\') < 0 && m.take(f, m.scratch, value)
	}
	return true
}

// elements reads the array that stands next, each element a record.
func (m *message) elements() error {
	for m.scan.Enter(); m.scan.Element(); {
		if err := m.element(); err != nil {
			return err
		}
	}
	return nil
}

// element reads the value that stands next as a record.
func (m *message) element() error {
	s := &m.scan
	object := s.Peek() == '{'
	r := record{start: m.base + s.At()}
	s.Mark()
	var f fields
	if object {
		s.Enter()
		for name, ok := s.Key(); ok; name, ok = s.Key() {
			m.take(&f, name, s.Value())
		}
	} else {
		s.Value()
	}
	r.end = m.base + s.At()
	if s.Err() != nil {
		return nil // the caller asks for it
	}
	return m.add(r, &f, object)
}

// add keeps a record that was read, after it was held to the limits.
func (m *message) add(r record, f *fields, object bool) error {
	if m.events++; m.events > m.bounds.events {
		return nil // counted, to tell how many there are
	}
	if !object {
		r.fault = notObject
	} else {
		m.judge(&r, f)
	}
	if !m.utf8 && !utf8.Valid(m.body[r.start:r.end]) {
		at := r.start + jsonscan.InvalidUTF8(m.body[r.start:r.end])
		r.fault, r.syntax = notJSON, jsonscan.SyntaxError{Offset: at, What: "a byte that is no UTF-8"}
	}
	if m.backfill && given(f.received) {
		at, err := claimed(f.received, m.now)
		if err != nil {
			return err.At(place(m.events-1, "receivedAt"), string(f.received))
		}
		r.claimed = at
	}
	m.records = append(m.records, r)
	return nil
}

// judge finds the first thing that is wrong with an event. Package prepare comes to the same judgement, and more: this
// one is to tell the sender at once.
func (m *message) judge(r *record, f *fields) {
	depth, members := m.scan.Measure()
	switch {
	case r.end-r.start > m.bounds.event:
		r.fault, r.seen = tooLarge, r.end-r.start
	case depth > m.limits.Depth:
		r.fault, r.seen = tooDeep, depth
	case members > m.limits.Properties:
		r.fault, r.seen = tooManyProperties, members
	case len(m.text(f.kind)) == 0:
		r.fault, r.field = typeMissing, "type"
	case !knownType(m.text(f.kind)):
		r.fault, r.field, r.value = typeUnknown, "type", f.kind
	case string(m.text(f.kind)) == "track" && len(m.text(f.event)) == 0:
		r.fault, r.field = eventMissing, "event"
	case m.tooLong(r, f.event):
		r.fault, r.field = nameTooLong, "event"
	case m.tooLong(r, f.name):
		r.fault, r.field = nameTooLong, "name"
	case m.bounds.needIDs && len(m.text(f.user)) == 0 && len(m.text(f.anonymous)) == 0:
		r.fault, r.field = idsMissing, "userId"
	}
}

// text is what a value says: the inside of a string, a number as it is written; nothing for any other. It is valid
// until the next call.
func (m *message) text(value []byte) []byte {
	if len(value) == 0 || value[0] != '"' && value[0] != '-' && value[0]-'0' > 9 {
		return nil
	}
	inner, quoted := unquoted(value)
	if !quoted {
		return value
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	m.scratch = jsonscan.Unescape(m.scratch[:0], inner)
	return m.scratch
}

func knownType(text []byte) bool {
	switch string(text) {
	case "track", "identify", "page", "screen", "group", "alias":
		return true
	}
	return false
}

func (m *message) tooLong(r *record, value []byte) bool {
	if len(value) <= m.limits.Name {
		return false
	}
	r.seen = utf8.RuneCount(m.text(value))
	return r.seen > m.limits.Name
}
