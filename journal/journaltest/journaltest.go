// Package journaltest holds what every journal.Log must do, whatever it stores its frames in. A backend's tests call
// Run; what a case finds wrong is the backend's fault.
package journaltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kith/event"
	"kith/journal"
)

// Run checks one kind of log. open returns a new, empty one that the test may close; partitions 0 and 1 exist or come
// into being by being used.
func Run(t *testing.T, open func(t *testing.T) journal.Log) {
	cases := []struct {
		name string
		run  func(*testing.T, journal.Log)
	}{
		{"an empty log has bounds", emptyBounds},
		{"what is appended is read in order", order},
		{"lines are stamped with seq and time", stamps},
		{"a read begins in the middle of a frame", middle},
		{"a read from 0 begins with the first", fromZero},
		{"a read from beyond the end is refused", beyond},
		{"a read wakes when something is appended", tail},
		{"a read ends with its context", contextEnds},
		{"a read ends with its callback", callbackEnds},
		{"many append and read at once", concurrent},
		{"partitions know nothing of each other", partitions},
		{"what is no frame is refused and leaves nothing", malformed},
		{"trim leaves what is not trimmed", trim},
		{"close ends reads and appends", closes},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			log := open(t)
			t.Cleanup(func() { log.Close() }) // a second Close, where the case closed it, is allowed to fail
			c.run(t, log)
		})
	}
}

// Lines makes n lines that say who wrote them and which they are, ready to be appended.
func Lines(who string, from, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"source":%q,"event":{"n":%d}}`+"\n", who, from+i)
	}
	return b.Bytes()
}

// Stamped is how a line of Lines reads when it comes back.
func Stamped(who string, n int, seq event.Seq, at int64) string {
	return fmt.Sprintf(`{"seq":%d,"received_at":%d,"source":%q,"event":{"n":%d}}`, seq, at, who, n)
}

func add(t *testing.T, log journal.Log, part int, who string, from, n int) event.Seq {
	t.Helper()
	first, err := log.Append(t.Context(), part, journal.Frame{Count: n, Lines: Lines(who, from, n)})
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return first
}

// A Line is one line as it was read.
type Line struct {
	Seq  event.Seq
	At   int64
	Text string
}

var errEnough = errors.New("enough")

// Collect reads n lines from seq on: what is before it in the first frame is left out.
func Collect(ctx context.Context, log journal.Log, part int, from event.Seq, n int) ([]Line, error) {
	var lines []Line
	if n == 0 {
		return nil, nil
	}
	err := log.Read(ctx, part, from, func(f journal.Frame) error {
		text := strings.Split(strings.TrimSuffix(string(f.Lines), "\n"), "\n")
		if len(text) != f.Count {
			return fmt.Errorf("a frame of %d lines holds %d", f.Count, len(text))
		}
		for i, line := range text {
			if seq := f.Base + event.Seq(i); seq >= from {
				lines = append(lines, Line{seq, f.At, line})
			}
		}
		if len(lines) >= n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		return lines, fmt.Errorf("read ended after %d of %d lines: %w", len(lines), n, err)
	}
	return lines, nil
}

func collect(t *testing.T, log journal.Log, part int, from event.Seq, n int) []Line {
	t.Helper()
	lines, err := Collect(t.Context(), log, part, from, n)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func wantCode(t *testing.T, err error, want event.Code) {
	t.Helper()
	if err == nil || event.CodeOf(err) != want {
		t.Errorf("got error %v of code %q, want code %q", err, event.CodeOf(err), want)
	}
}
