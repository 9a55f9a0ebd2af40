package collect

import "kith/internal/jsonscan"

// Limits are what a request and an event may have. All sizes are bytes. Every limit answers with itself and with what
// was seen.
type Limits struct {
	Body     int // of a request as it is sent: 16 MB
	Unpacked int // of a request after decompression: 64 MB
	Held     int // of all large requests in memory at once, bodies and lines: 512 MB

	Events int // in a request to /api/v1/events: 50,000
	Event  int // of one event there: 1 MB

	BatchBytes  int // of an unpacked request to /v1/batch: 500 KB, as at Segment
	BatchEvents int // in a request there: 2,500, as at Segment
	BatchEvent  int // of one event there: 32 KB, as at Segment

	Depth      int // of an event's nesting: 64
	Properties int // members of an event's objects, all together: 2,000
	Name       int // characters of the name of an event, page or screen: 200
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Body, 16 << 20}, {&l.Unpacked, 64 << 20}, {&l.Held, 512 << 20},
		{&l.Events, 50_000}, {&l.Event, 1 << 20},
		{&l.BatchBytes, 500 << 10}, {&l.BatchEvents, 2500}, {&l.BatchEvent, 32 << 10},
		{&l.Depth, jsonscan.MaxEventDepth}, {&l.Properties, jsonscan.MaxEventMembers}, {&l.Name, 200},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// maxNesting is how deep a body may nest before it is no longer read. An event over Limits.Depth but under this one is
// stored; readers of raw lines can count on never meeting a deeper one.
const maxNesting = 1000

// bounds are the limits of one door.
type bounds struct {
	packed, body  int // bytes of the request
	event, events int // bytes of one, number of all
	repeated      int // bytes that stand in the request once and in every line
	needIDs       bool
}
