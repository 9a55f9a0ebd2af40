package collect

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"kith/event"
	"kith/internal/jsonscan"
)

// eventsDoor is Kith's own: POST /api/v1/events. A body is one event, an array of them, an object {"events": […]} which
// may have context, integrations and sentAt beside it, or one event a line (NDJSON). The answer has a result for each
// record that was refused; with ?results=all for each record.
//
// A sender that is no source itself names one with ?source=NAME. With ?backfill=1, for which it needs the right, an
// event's receivedAt (RFC 3339 or integer microseconds) is when it was received; without, it is a member like any other.
//
// A body is read line by line when its Content-Type says so, or when its first line is a whole object and another
// line follows. A line that is no JSON then spoils only itself.
func eventsDoor() *door {
	return &door{
		name: "events",
		path: "/api/v1/events",
		help: "Send events. The answer comes when they are stored for good.",
		bounds: func(l *Limits) bounds {
			return bounds{packed: l.Body, body: l.Unpacked, event: l.Event, events: l.Events, repeated: l.Unpacked}
		},
		parse:  parseEvents,
		answer: answerEvents,
		refuse: refuseProblem,
	}
}

func parseEvents(m *message, contentType string) error {
	if lineByLine(contentType) {
		return m.lines()
	}
	s := &m.scan
	start, single := 0, false
	var err error
	switch s.Peek() {
	case '{':
		start = s.At()
		single, err = m.object()
	case '[':
		err = m.elements()
	case 0:
		return event.Errorf(event.Invalid, "the body is empty")
	default:
		if s.Value(); s.End() == nil {
			return event.Errorf(event.Invalid, "a body is an event, an array of events, or an object with events in it")
		}
	}
	if err != nil {
		return err
	}
	if end := s.At(); single && s.Peek() != 0 {
		inside := bytes.IndexByte(m.body[start:end], '\n') >= 0
		if behind := bytes.IndexByte(m.body[end:s.At()], '\n') >= 0; behind && !inside {
			return m.lines()
		}
	}
	return m.broken(s.End())
}

func lineByLine(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return true
	}
	return false
}

// object reads a body that is an object: one event, or what stands around an array of them. It is an event if it has
// a type.
func (m *message) object() (single bool, err error) {
	s := &m.scan
	start := s.At()
	s.Mark()
	var f fields
	var stranger []byte // a member that does not belong around events
	around := false
	s.Enter()
	for name, ok := s.Key(); ok; name, ok = s.Key() {
		if string(name) == "events" && s.Peek() == '[' {
			around = true
			if err := m.elements(); err != nil {
				return false, err
			}
		} else if value := s.Value(); !m.take(&f, name, value) && stranger == nil {
			stranger = name
		}
	}
	switch {
	case s.Err() != nil:
		return false, nil // the caller asks for it
	case !around:
		return true, m.add(record{start: start, end: s.At()}, &f, true)
	case f.kind != nil: // an event, with a member of that name
		m.reset(m.body)
		return true, m.element()
	case stranger != nil:
		return false, event.Errorf(event.Invalid, "beside events there can be context, integrations and sentAt").
			At(string(stranger), "")
	}
	return false, m.around(f)
}

// around keeps what stands around a batch.
func (m *message) around(f fields) error {
	m.envelope = f
	if m.utf8 {
		return nil
	}
	for _, value := range [][]byte{f.context, f.integrations, f.sentAt, f.writeKey} {
		if jsonscan.InvalidUTF8(value) >= 0 {
			return event.Errorf(event.Invalid, "what stands around the events is no UTF-8")
		}
	}
	return nil
}

// lines reads a body that is one event a line. Empty lines are nothing.
func (m *message) lines() error {
	m.reset(m.body)
	readable := false // one of them
	for start := 0; start < len(m.body); {
		text := m.body[start:]
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			text = text[:i]
		}
		m.base = start
		m.scan.Reset(text, maxNesting)
		start += len(text) + 1
		if m.scan.Peek() == 0 {
			continue
		}
		good, err := m.line(text)
		if err != nil {
			return err
		}
		readable = readable || good
	}
	switch {
	case m.events == 0:
		return event.Errorf(event.Invalid, "the body is empty")
	case !readable:
		first := &m.records[0]
		return m.broken(&first.syntax)
	}
	return nil
}

// line reads one line as a record; one that is no JSON becomes a record all the same.
func (m *message) line(text []byte) (readable bool, err error) {
	records, events := len(m.records), m.events
	if err := m.element(); err != nil {
		return false, err
	}
	syntax, bad := m.scan.End().(*jsonscan.SyntaxError)
	if !bad {
		return true, nil
	}
	m.records = m.records[:records]
	if m.events = events + 1; m.events <= m.bounds.events {
		text = bytes.TrimSuffix(text, []byte("\r"))
		r := record{start: m.base, end: m.base + len(text), fault: notJSON, syntax: *syntax}
		r.syntax.Offset += m.base
		m.records = append(m.records, r)
	}
	return false, nil
}

// claimed reads when a record of history says it was received: RFC 3339, or integer microseconds since 1970.
func claimed(value []byte, now int64) (int64, *event.Error) {
	var at int64
	if inner, ok := unquoted(value); ok {
		t, err := time.Parse(time.RFC3339Nano, string(inner))
		if err != nil {
			return 0, event.Errorf(event.Invalid, "this is no time as RFC 3339 writes it: 2025-11-25T08:15:30Z")
		}
		at = t.UnixMicro()
	} else {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return 0, event.Errorf(event.Invalid, "this is no time; it is written as in RFC 3339, or as microseconds since 1970")
		}
		at = n
	}
	switch {
	case at < earliestClaim:
		return 0, event.Errorf(event.Invalid, "an event cannot have been received before 1990").WithHint("a number is microseconds since 1970")
	case at > now+latestClaim:
		return 0, event.Errorf(event.Invalid, "an event cannot have been received more than 24 h from now")
	}
	return at, nil
}

const (
	earliestClaim = 631_152_000_000_000 // 1990-01-01
	latestClaim   = 24 * 3_600_000_000  // ahead of now
)

// answerEvents lists the results of the records that were refused, or of all.
func answerEvents(dst []byte, x *intake) []byte {
	refused := x.refused()
	dst = append(dst, `{"accepted":`...)
	dst = strconv.AppendInt(dst, int64(len(x.records)-refused), 10)
	dst = append(dst, `,"refused":`...)
	dst = strconv.AppendInt(dst, int64(refused), 10)
	if len(x.records) > 0 {
		dst = append(dst, `,"seq":{"first":`...)
		dst = strconv.AppendInt(dst, int64(x.first), 10)
		dst = append(dst, `,"next":`...)
		dst = strconv.AppendInt(dst, int64(x.first)+int64(len(x.records)), 10)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"results":[`...)
	for i := range x.records {
		r := &x.records[i]
		if r.fault == none && !x.allResults {
			continue
		}
		if dst[len(dst)-1] == '}' {
			dst = append(dst, ',')
		}
		dst = x.appendResult(dst, i, r)
	}
	return append(dst, "]}\n"...)
}

func (x *intake) appendResult(dst []byte, index int, r *record) []byte {
	dst = append(dst, `{"index":`...)
	dst = strconv.AppendInt(dst, int64(index), 10)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendInt(dst, int64(x.first)+int64(index), 10)
	dst = append(dst, `,"code":"`...)
	dst = append(dst, r.fault.String()...)
	dst = append(dst, '"')
	if r.fault != none {
		dst = append(dst, `,"message":`...)
		dst = appendString(dst, x.message.explain(r))
	}
	if r.field != "" {
		dst = append(dst, `,"path":`...)
		dst = appendString(dst, r.field)
	}
	return append(dst, '}')
}
