package journaltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"kith/event"
	"kith/journal"
)

func emptyBounds(t *testing.T, log journal.Log) {
	first, next, err := log.Bounds(t.Context(), 0)
	if err != nil || first > next {
		t.Fatalf("bounds %d to %d, %v", first, next, err)
	}
	seq := add(t, log, 0, "web", 0, 3)
	if seq < next || seq < 1 {
		t.Errorf("the first seq is %d, below the bound %d that was given before", seq, next)
	}
	first, next, err = log.Bounds(t.Context(), 0)
	if err != nil || first != seq || next < seq+3 {
		t.Errorf("bounds %d to %d after appending 3 at %d, %v", first, next, seq, err)
	}
}

func order(t *testing.T, log journal.Log) {
	var want []string
	var last event.Seq
	for i := range 20 {
		n := 1 + i*7%13
		first := add(t, log, 0, "web", len(want), n)
		if first <= last {
			t.Fatalf("append %d got seq %d after %d", i, first, last)
		}
		last = first + event.Seq(n) - 1
		for range n {
			want = append(want, fmt.Sprintf(`"n":%d}`, len(want)))
		}
	}
	for i, line := range collect(t, log, 0, 0, len(want)) {
		if !strings.Contains(line.Text, want[i]) {
			t.Fatalf("line %d is %s, want it to hold %s", i, line.Text, want[i])
		}
	}
}

func stamps(t *testing.T, log journal.Log) {
	firsts := []event.Seq{add(t, log, 0, "web", 0, 2), add(t, log, 0, "web", 2, 1), add(t, log, 0, "web", 3, 70)}
	lines := collect(t, log, 0, 0, 73)
	want := []event.Seq{firsts[0], firsts[0] + 1, firsts[1]}
	var at int64
	for i, line := range lines {
		if i < len(want) && line.Seq != want[i] {
			t.Errorf("line %d has seq %d, want %d", i, line.Seq, want[i])
		}
		if got := Stamped("web", i, line.Seq, line.At); line.Text != got {
			t.Errorf("line %d is\n%s, want\n%s", i, line.Text, got)
		}
		if line.At < at || line.At == 0 {
			t.Errorf("line %d was received at %d, after one at %d", i, line.At, at)
		}
		at = line.At
	}
}

func middle(t *testing.T, log journal.Log) {
	a, b := add(t, log, 0, "web", 0, 10), add(t, log, 0, "web", 10, 10)
	for _, c := range []struct {
		from event.Seq
		n    int // number in the first line that is collected
	}{{a, 0}, {a + 1, 1}, {a + 9, 9}, {b, 10}, {b + 5, 15}, {b + 9, 19}} {
		line := collect(t, log, 0, c.from, 1)[0]
		if line.Seq != c.from || line.Text != Stamped("web", c.n, c.from, line.At) {
			t.Errorf("reading from %d begins with %d: %s", c.from, line.Seq, line.Text)
		}
	}
}

func fromZero(t *testing.T, log journal.Log) {
	first := add(t, log, 0, "web", 0, 1)
	if got := collect(t, log, 0, 0, 1)[0].Seq; got != first {
		t.Errorf("read from 0 begins with %d, want %d", got, first)
	}
}

func beyond(t *testing.T, log journal.Log) {
	add(t, log, 0, "web", 0, 1)
	_, next, err := log.Bounds(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	err = log.Read(t.Context(), 0, next+1_000_000_000, func(journal.Frame) error { return nil })
	wantCode(t, err, event.Corrupt)
}

func tail(t *testing.T, log journal.Log) {
	type result struct {
		lines []Line
		err   error
	}
	got := make(chan result, 2)
	for range cap(got) {
		go func() {
			lines, err := Collect(t.Context(), log, 0, 0, 50)
			got <- result{lines, err}
		}()
	}
	for i := range 50 {
		add(t, log, 0, "web", i, 1)
	}
	for range cap(got) {
		r := <-got
		if r.err != nil || len(r.lines) != 50 {
			t.Errorf("the reader got %d lines, %v", len(r.lines), r.err)
		}
	}
}

func contextEnds(t *testing.T, log journal.Log) {
	add(t, log, 0, "web", 0, 1)
	ctx, cancel := context.WithCancel(t.Context())
	err := log.Read(ctx, 0, 0, func(journal.Frame) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("read ended with %v", err)
	}
	if _, err := log.Append(ctx, 0, journal.Frame{Count: 1, Lines: Lines("web", 0, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("append with a context that ended: %v", err)
	}
}

func callbackEnds(t *testing.T, log journal.Log) {
	add(t, log, 0, "web", 0, 1)
	add(t, log, 0, "web", 1, 1)
	stop, calls := errors.New("stop"), 0
	err := log.Read(t.Context(), 0, 0, func(journal.Frame) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("read ended with %v after %d calls", err, calls)
	}
}

func concurrent(t *testing.T, log journal.Log) {
	const writers, appends, each = 8, 20, 3
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range appends {
				lines := Lines(fmt.Sprint("w", w), i*each, each)
				if _, err := log.Append(t.Context(), 0, journal.Frame{Count: each, Lines: lines}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	seen := make([]int, writers)
	var last event.Seq
	for _, line := range collect(t, log, 0, 0, writers*appends*each) {
		if line.Seq <= last {
			t.Fatalf("seq %d after %d", line.Seq, last)
		}
		last = line.Seq
		var w int
		if _, err := fmt.Sscanf(line.Text[strings.Index(line.Text, `"w`):], `"w%d"`, &w); err != nil {
			t.Fatalf("%s: %v", line.Text, err)
		}
		if want := Stamped(fmt.Sprint("w", w), seen[w], line.Seq, line.At); line.Text != want {
			t.Fatalf("got %s, want %s", line.Text, want)
		}
		seen[w]++
	}
	wg.Wait()
}

func partitions(t *testing.T, log journal.Log) {
	a, b := add(t, log, 0, "zero", 0, 5), add(t, log, 1, "one", 0, 2)
	for part, c := range []struct {
		who  string
		seq  event.Seq
		many int
	}{{"zero", a, 5}, {"one", b, 2}} {
		for i, line := range collect(t, log, part, 0, c.many) {
			if want := Stamped(c.who, i, c.seq+event.Seq(i), line.At); line.Text != want {
				t.Errorf("partition %d: got %s, want %s", part, line.Text, want)
			}
		}
	}
}

func malformed(t *testing.T, log journal.Log) {
	for name, f := range map[string]journal.Frame{
		"nothing":          {},
		"no newline":       {Count: 1, Lines: []byte(`{"source":"web"}`)},
		"too few lines":    {Count: 2, Lines: Lines("web", 0, 1)},
		"too many lines":   {Count: 1, Lines: Lines("web", 0, 2)},
		"an empty line":    {Count: 2, Lines: append(Lines("web", 0, 1), '\n')},
		"no object":        {Count: 1, Lines: []byte("[1]\n")},
		"an object of air": {Count: 1, Lines: []byte("{}\n")},
	} {
		if _, err := log.Append(t.Context(), 0, f); event.CodeOf(err) != event.Invalid || err == nil {
			t.Errorf("%s: got %v, want an invalid append", name, err)
		}
	}
	first, next, err := log.Bounds(t.Context(), 0)
	if err != nil || first != next {
		t.Errorf("bounds %d to %d, %v: something was stored", first, next, err)
	}
}

func trim(t *testing.T, log journal.Log) {
	add(t, log, 0, "web", 0, 10)
	second := add(t, log, 0, "web", 10, 10)
	if err := log.Trim(t.Context(), 0, second); err != nil {
		wantCode(t, err, event.NotAllowed)
	}
	if line := collect(t, log, 0, second, 10)[0]; line.Text != Stamped("web", 10, second, line.At) {
		t.Errorf("after trim seq %d is %s", second, line.Text)
	}
}

func closes(t *testing.T, log journal.Log) {
	add(t, log, 0, "web", 0, 1)
	reading, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- log.Read(t.Context(), 0, 0, func(journal.Frame) error { close(reading); return nil })
	}()
	<-reading
	if err := log.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	wantCode(t, <-ended, event.Unavailable)
	_, err := log.Append(t.Context(), 0, journal.Frame{Count: 1, Lines: Lines("web", 0, 1)})
	wantCode(t, err, event.Unavailable)
}
