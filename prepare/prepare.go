// Package prepare turns a raw line of the journal into an event: it finds the members that have a column, keeps the
// rest as it was written, and says why an event cannot become a row.
//
// It is a pure function of the line and its options, so a replay gives the same rows, and it copies nothing: the texts
// of an event point into its line or, where they had to be spelled differently, into the Preparer's scratch space.
//
// # Values
//
// A text column takes a string, or a number as it is written. A number column takes a number. Money is read exactly
// from its decimal text and rounded half away from zero at the fourth decimal, never by way of a float; a text such as
// "84,90" is no money. Anything else leaves the column null and is a counted conflict, never a refused event. Null and
// the empty text are none. Of two members with one name the last one counts.
//
// The context of the request that carried the event (batch.context) lies under the event's own: it gives the members
// that the event's context lacks. Event.Context is what is left of both after the members that have a column.
//
// # Time
//
// An event's own time is its timestamp, or else its originalTimestamp: RFC 3339, or milliseconds since 1970 as a
// number. An event that has neither happened when it was received. Otherwise, in this order:
//
//  1. Skew. If the event, or else its request, says when it was sent by the same clock (sentAt), then
//     error = received_at − sentAt; where |error| is over the tolerance, the clock was wrong and ts = timestamp + error
//     (time_fix "skew"). The tolerance is a minute: sentAt differs from receipt also by what the request took and by
//     the retries of SDKs that keep sentAt, which is seconds, and shifting events by that would only blur them, while
//     a clock that nobody sets is off by minutes, hours or years. Sessions and funnels do not feel less than a minute.
//  2. Future. A ts more than 24 h after receipt becomes the time of receipt (time_fix "future").
//  3. Past. A ts before the earliest date (1990-01-01) is refused.
//
// Where a rule changed ts, original_timestamp keeps what the client wrote. A line that carries claimed_at is history
// sent by a principal with the right to do so: claimed_at is then its time of receipt. The request's sentAt belongs to
// the sending of the history, not to the event, and is not used for skew there; the event's own is.
package prepare

import (
	"cmp"
	"time"

	"kith/event"
	"kith/internal/jsonscan"
)

// Options are the limits and the time rules. The zero value of each stands for its default.
type Options struct {
	Earliest        time.Time     // an event before it is refused; 1990-01-01 UTC
	SkewTolerance   time.Duration // a client's clock may be off by so much before it is corrected; 1 minute
	MaxBytes        int           // size of an event as received; 1 MiB
	MaxSegmentBytes int           // of one that came through a door of Segment's; 32 KiB
	MaxDepth        int           // objects and arrays in one another, the event itself counted; 64
	MaxMembers      int           // members of all objects in an event together; 2,000
	MaxName         int           // characters in the name of an event, page or screen; 200
	Agents          int           // user agents remembered, of at most about 1.5 kB each; 16,384
}

func (o Options) withDefaults() Options {
	if o.Earliest.IsZero() {
		o.Earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	o.SkewTolerance = cmp.Or(o.SkewTolerance, time.Minute)
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<20)
	o.MaxSegmentBytes = cmp.Or(o.MaxSegmentBytes, 32<<10)
	o.MaxDepth = cmp.Or(o.MaxDepth, jsonscan.MaxEventDepth)
	o.MaxMembers = cmp.Or(o.MaxMembers, jsonscan.MaxEventMembers)
	o.MaxName = cmp.Or(o.MaxName, 200)
	o.Agents = cmp.Or(o.Agents, 1<<14)
	return o
}

// Preparer prepares lines one after another; it is not safe for use by several goroutines, save Counters.
type Preparer struct {
	limits    Options
	earliest  int64 // microseconds
	tolerance int64
	agents    *agents
	conflicts conflicts

	c       jsonscan.Cursor
	l       line
	scratch []byte    // texts that are spelled differently in the line
	rest    remainder // contexts
	names   [][]byte  // members of the context that have no column

	skew, future event.Text
}

// New makes a Preparer.
func New(o Options) *Preparer {
	o = o.withDefaults()
	return &Preparer{
		limits:    o,
		earliest:  o.Earliest.UnixMicro(),
		tolerance: o.SkewTolerance.Microseconds(),
		agents:    newAgents(o.Agents),
		skew:      event.Text("skew"),
		future:    event.Text("future"),
	}
}

// Line fills e from a raw line. The outcome is Accepted, or Quarantined with the reason and the place: the path of the
// member within the event, "$" for the event as a whole. A quarantined event has its Seq, ReceivedAt and source; what
// else it has is not defined. e's texts are good as long as the line is and Reset is not called.
func (p *Preparer) Line(line []byte, e *event.Event) event.Outcome {
	p.read(line, e)
	reason, place := p.refuse(e)
	if reason == "" {
		p.derive(e)
		reason, place = p.clock(e)
	}
	if reason != "" {
		return event.Outcome{Stage: "prepare", Result: event.Quarantined, Reason: reason, Place: place}
	}
	return event.Outcome{Stage: "prepare", Result: event.Accepted}
}

// IsControl reports whether the line is a note of Kith's own, which has a number but is no event.
func (p *Preparer) IsControl(line []byte) bool {
	p.c.Reset(line)
	for p.c.Enter(); p.c.Member(); p.c.Skip() {
		switch string(p.c.Key()) {
		case "seq", "received_at":
		default:
			return string(p.c.Key()) == "control"
		}
	}
	return false
}

// Reset takes back the scratch space: call it between runs, when no event of the last run is in use any more.
func (p *Preparer) Reset() {
	const keep = 16 << 20 // one run of monsters does not fix the memory for ever
	if p.scratch = p.scratch[:0]; cap(p.scratch) > keep {
		p.scratch = nil
	}
	if p.rest.buf = p.rest.buf[:0]; cap(p.rest.buf) > keep {
		p.rest.buf = nil
	}
}
