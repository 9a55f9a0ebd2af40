package collect

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"kith/event"
	"kith/internal/jsonscan"
)

// fault is what is wrong with a record. Its word is in answers and in Stats.
type fault uint8

const (
	none fault = iota
	notJSON
	notObject
	tooLarge
	tooDeep
	tooManyProperties
	typeMissing
	typeUnknown
	eventMissing
	nameTooLong
	idsMissing
	faults // how many there are
)

// String is the word under which package prepare puts such an event into quarantine.
func (f fault) String() string {
	return [faults]string{"accepted", "not_json", "not_object", "too_large", "too_deep", "too_many_properties",
		"type_missing", "type_unknown", "event_missing", "name_too_long", "ids_missing"}[f]
}

const types = "there are track, identify, page, screen, group and alias"

// explain says what is wrong with a record to who sent it.
func (m *message) explain(r *record) string {
	switch r.fault {
	case notJSON:
		return fmt.Sprintf("the event is no JSON in UTF-8: %v", &r.syntax)
	case notObject:
		return "an event is an object"
	case tooLarge:
		return fmt.Sprintf("the event has %d bytes; the limit is %d", r.seen, m.bounds.event)
	case tooDeep:
		return fmt.Sprintf("the event is nested %d levels deep; the limit is %d", r.seen, m.limits.Depth)
	case tooManyProperties:
		return fmt.Sprintf("the event's objects have %d members; the limit is %d", r.seen, m.limits.Properties)
	case typeMissing:
		return "the event has no type; " + types
	case typeUnknown:
		return fmt.Sprintf("there is no type %s; %s", excerpt(r.value), types)
	case eventMissing:
		return "a track has no name of what happened, in event"
	case nameTooLong:
		return fmt.Sprintf("the name has %d characters; the limit is %d", r.seen, m.limits.Name)
	case idsMissing:
		return "the event has neither userId nor anonymousId"
	}
	return ""
}

// excerpt is a piece of a body to show in a message: 40 bytes of valid text.
func excerpt(text []byte) string {
	if len(text) > 40 {
		return string(bytes.ToValidUTF8(text[:40], nil)) + "…"
	}
	return string(bytes.ToValidUTF8(text, []byte("\ufffd")))
}

// place is where a field of an event stands, for an error about the whole request.
func place(index int, field string) string {
	return strings.TrimSuffix("["+strconv.Itoa(index)+"]."+field, ".")
}

// broken is the error of a body that is no JSON. It says where, and shows what stands there.
func (m *message) broken(err error) error {
	syntax, ok := err.(*jsonscan.SyntaxError)
	if !ok {
		return err
	}
	e := event.Errorf(event.Invalid, "the body is no JSON: %w", syntax)
	if syntax.Max > 0 {
		e = event.Errorf(event.TooLarge, "the body cannot be read: %w", syntax)
	}
	e.Place.Line = 1 + bytes.Count(m.body[:syntax.Offset], []byte("\n"))
	e.Place.Value = excerpt(m.body[syntax.Offset:])
	return e
}
