package prepare

import (
	"fmt"
	"unicode/utf8"

	"kith/event"
)

// refuse says why the event cannot become a row, for all reasons but its time.
func (p *Preparer) refuse(e *event.Event) (reason, place string) {
	l := &p.l
	l.maxBytes = p.maxBytes(e.Door)
	switch {
	case !l.hasEvent || !p.c.OK():
		return "not_json", "$"
	case l.size > l.maxBytes:
		return "too_large", "$"
	case !l.isObject:
		return "not_object", "$"
	case l.depth > p.limits.MaxDepth:
		return "too_deep", string(l.over)
	case l.members > p.limits.MaxMembers:
		return "too_many_properties", string(l.over)
	case e.Type == nil:
		return "type_missing", "type"
	case !knownType(e.Type):
		return "type_unknown", "type"
	case string(e.Type) == "track" && e.Event == nil:
		return "event_missing", "event"
	case p.tooLong(e.Event):
		return "name_too_long", "event"
	case p.tooLong(e.Name):
		return "name_too_long", "name"
	case e.UserID == nil && e.AnonymousID == nil && segments(e.Door):
		return "ids_missing", "userId"
	}
	return "", ""
}

func knownType(t event.Text) bool {
	switch string(t) {
	case "track", "identify", "page", "screen", "group", "alias":
		return true
	}
	return false
}

// segments reports whether the door speaks Segment's language, which has no event without a person and none over
// 32 KB. Our own door and the import take both: a stock level is an event too.
func segments(door event.Text) bool {
	switch string(door) {
	case "events", "import":
		return false
	}
	return true
}

func (p *Preparer) maxBytes(door event.Text) int {
	if segments(door) {
		return p.limits.MaxSegmentBytes
	}
	return p.limits.MaxBytes
}

func (p *Preparer) tooLong(name event.Text) bool {
	return len(name) > p.limits.MaxName && utf8.RuneCount(name) > p.limits.MaxName
}

// Explain tells a person why the last line was quarantined, with the limit and the size seen where it is one.
func (p *Preparer) Explain(o event.Outcome) string {
	l := &p.l
	switch o.Reason {
	case "not_json":
		return "the event is not valid JSON in UTF-8"
	case "not_object":
		return "the event is not a JSON object"
	case "too_large":
		return fmt.Sprintf("the event has %d bytes; at most %d are taken", l.size, l.maxBytes)
	case "too_deep":
		return fmt.Sprintf("objects and arrays lie %d deep in one another; at most %d are taken", l.depth, p.limits.MaxDepth)
	case "too_many_properties":
		return fmt.Sprintf("the event has %d members; at most %d are taken", l.members, p.limits.MaxMembers)
	case "type_missing":
		return "the event does not say its type"
	case "type_unknown":
		return "the type is none of track, identify, page, screen, group, alias"
	case "event_missing":
		return "a track event needs a name in event"
	case "name_too_long":
		return fmt.Sprintf("the name is longer than %d characters", p.limits.MaxName)
	case "ids_missing":
		return "the event has neither userId nor anonymousId"
	case "time_unreadable":
		return "the time is neither RFC 3339 nor milliseconds since 1970"
	case "time_too_early":
		return "the time is before " + p.limits.Earliest.UTC().Format("2006-01-02") + ", the earliest that is taken"
	}
	return ""
}
