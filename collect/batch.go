package collect

import (
	"net/http"
	"strconv"
	"strings"

	"kith/event"
)

// batchDoor is Segment's POST /v1/batch, as its libraries on servers and phones use it. The write key stands in the
// header (Basic) or in the body. Once the body is a batch the answer is 200, whatever is wrong with an event: that is
// the contract these libraries know. What is wrong is in quarantine. A body over its limit is a 400, as at Segment.
func batchDoor() *door {
	return &door{
		name: "batch",
		path: "/v1/batch",
		help: "Send events as Segment's libraries do.",
		bounds: func(l *Limits) bounds {
			return bounds{packed: min(l.Body, l.BatchBytes), body: l.BatchBytes, event: l.BatchEvent,
				events: l.BatchEvents, repeated: 16 * l.BatchBytes, needIDs: true}
		},
		keyInBody: true,
		parse:     parseBatch,
		answer:    answerBatch,
		refuse:    refuseBatch,
	}
}

func parseBatch(m *message, _ string) error {
	s := &m.scan
	if s.Peek() != '{' {
		if s.Value(); s.End() == nil {
			return noBatch()
		}
		return m.broken(s.End())
	}
	var f fields
	found := false
	s.Enter()
	for name, ok := s.Key(); ok; name, ok = s.Key() {
		if string(name) == "batch" && s.Peek() == '[' {
			found = true
			if err := m.elements(); err != nil {
				return err
			}
		} else {
			m.take(&f, name, s.Value())
		}
	}
	if err := s.End(); err != nil {
		return m.broken(err)
	}
	if !found {
		return noBatch()
	}
	return m.around(f)
}

func noBatch() error {
	return event.Errorf(event.Invalid, `a body is an object with an array of events in "batch"`)
}

func answerBatch(dst []byte, _ *intake) []byte { return append(dst, "{\"success\":true}\n"...) }

// refuseBatch answers in Segment's style, with the statuses that its libraries know: what is too large is a 400.
func refuseBatch(w http.ResponseWriter, e *event.Error) {
	status := e.Code.HTTP()
	if e.Code == event.TooLarge {
		status = http.StatusBadRequest
	}
	if e.Code.Retry() {
		w.Header().Set("X-RateLimit-Reset", strconv.Itoa(retryAfter))
	}
	body := appendString([]byte(`{"success":false,"message":`), strings.TrimSuffix(e.Message+"; "+e.Hint, "; "))
	write(w, status, "application/json", append(body, "}\n"...))
}
