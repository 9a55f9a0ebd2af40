// Package journal is the durable ordered log that every event enters before its sender hears 200. What it keeps is
// the raw zone: everything after it can be computed from it again.
//
// A Log holds frames of lines in partitions; File is the embedded one, on a folder of segment files (format.md).
// Writer is the group commit above any Log: doors append through it.
package journal

import (
	"bytes"
	"context"

	"kith/event"
)

// MaxFrameEvents is the most events that one frame holds, whatever log it is in: brokers number events
// sequence<<16 | index.
const MaxFrameEvents = 65_536

// MaxLine is the most bytes that one line may have, its newline included.
const MaxLine = 16 << 20

// Frame is a run of lines that became durable together.
type Frame struct {
	Base  event.Seq // seq of the first line; the others follow one by one
	Count int       // lines
	At    int64     // received_at of all its lines, microseconds UTC
	// Lines is newline-delimited JSON. To be appended, each line is an object with at least one member, without
	// "seq" and "received_at": {"source":…}\n. When read, each begins with them:
	// {"seq":7,"received_at":1764032527123456,"source":…}\n. What is read is valid until the callback returns.
	Lines []byte
}

// End is the seq after the last line.
func (f Frame) End() event.Seq { return f.Base + event.Seq(f.Count) }

// Log is a durable ordered log in partitions. All methods may be called by many goroutines.
type Log interface {
	// Append stores f.Lines, f.Count of them, and returns the seq of the first when they are durable; the others
	// follow one by one. Base and At of f are not read: the log gives them. An error may still mean stored, but for
	// an event.Error of code Unavailable, Invalid or TooLarge that was given before anything was written.
	// Appends of one partition become durable in the order of their seq.
	Append(ctx context.Context, part int, f Frame) (event.Seq, error)
	// Read calls fn for each frame from the one that holds seq from, in order, then goes on with what is appended
	// until ctx ends, fn fails (its error is returned as it is) or the log is closed. from 0 is the first there is.
	// A from that the log no longer has is NotFound; one beyond its end is Corrupt: the log is older than its reader.
	Read(ctx context.Context, part int, from event.Seq, fn func(Frame) error) error
	// Bounds returns the first seq that can be read and one that is above all that is durable and not above any
	// that will be.
	Bounds(ctx context.Context, part int) (first, next event.Seq, err error)
	// Trim says that frames which end before a seq are not needed by Kith any more.
	Trim(ctx context.Context, part int, before event.Seq) error
	// Close ends all reads and waits for appends under way.
	Close() error
}

// checkLines reports whether lines is what a frame to append must be: count lines, each an object that begins with
// a member.
func checkLines(lines []byte, count int) error {
	if count <= 0 || len(lines) == 0 {
		return event.Errorf(event.Invalid, "an append to the journal has no lines")
	}
	n := 0
	for rest := lines; len(rest) > 0; n++ {
		end := bytes.IndexByte(rest, '\n') + 1
		switch {
		case end == 0:
			return event.Errorf(event.Invalid, "line %d of %d does not end with a newline", n+1, count)
		case end > MaxLine:
			return event.Errorf(event.TooLarge, "line %d of %d has %d bytes; the journal takes at most %d",
				n+1, count, end, MaxLine)
		case end < 3 || rest[0] != '{' || rest[1] != '"':
			return event.Errorf(event.Invalid, "line %d of %d is not an object with a member", n+1, count)
		}
		rest = rest[end:]
	}
	if n != count {
		return event.Errorf(event.Invalid, "an append of %d lines says that it has %d", n, count)
	}
	return nil
}
