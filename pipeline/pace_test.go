package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kith/event"
	"kith/journal"
	"kith/lake"
	"kith/pipeline"
	"kith/pipeline/dedupe"
)

// fed is a journal that hands out what the test sends.
type fed chan journal.Frame

func (f fed) Read(ctx context.Context, _ int, _ event.Seq, fn func(journal.Frame) error) error {
	for {
		select {
		case frame, open := <-f:
			if !open {
				return nil
			}
			if err := fn(frame); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// plain takes every line as an event.
type plain struct{}

func (plain) IsControl([]byte) bool { return false }
func (plain) Line([]byte, *event.Event) event.Outcome {
	return event.Outcome{Result: event.Accepted}
}
func (plain) Explain(event.Outcome) string { return "" }
func (plain) Reset()                       {}

type noneSeen struct{}

func (noneSeen) Add(dedupe.Key, event.Seq) (event.Seq, bool) { return 0, false }
func (noneSeen) Flush() ([]byte, error)                      { return nil, nil }
func (noneSeen) Sync() error                                 { return nil }
func (noneSeen) Committed([]byte)                            {}

type nobody struct{}

func (nobody) Anchor(*event.Event) int64 { return 0 }
func (nobody) Flush() (int64, error)     { return 0, nil }
func (nobody) Sync() error               { return nil }

// flushes is a lake that notes when it was flushed, and up to where.
type flushes struct {
	began time.Time

	mu        sync.Mutex
	at        []string
	next      event.Seq
	published chan struct{}
}

func (f *flushes) Checkpoint() lake.Checkpoint { return lake.Checkpoint{Next: 1} }
func (f *flushes) Append(*event.Event) error   { return nil }
func (f *flushes) Refuse(lake.Refusal)         {}

func (f *flushes) Flush(_ context.Context, cp lake.Checkpoint, _ func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = append(f.at, fmt.Sprintf("%v:%d", time.Since(f.began), cp.Next-1))
	f.next = cp.Next
	close(f.published)
	f.published = make(chan struct{})
	return nil
}

func (f *flushes) Wait(ctx context.Context, next event.Seq) (*lake.View, error) {
	for {
		f.mu.Lock()
		at, published := f.next, f.published
		f.mu.Unlock()
		if at >= next {
			return &lake.View{Next: at}, nil
		}
		select {
		case <-published:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// paced is a processor on fakes, in a bubble of time.
type paced struct {
	*pipeline.Processor
	lake *flushes
	feed fed
	next event.Seq
}

// inBubble runs a processor for one test, and compares when it has flushed and up to which event.
func inBubble(t *testing.T, pace pipeline.Pace, script func(p *paced), want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &paced{lake: &flushes{began: time.Now(), next: 1, published: make(chan struct{})}, feed: make(fed), next: 1}
		p.Processor = pipeline.New(pipeline.Options{Journal: p.feed, Prepare: plain{}, Seen: noneSeen{}, Identities: nobody{}, Lake: p.lake, Pace: pace})
		ended := make(chan error, 1)
		go func() { ended <- p.Run(t.Context(), func() {}) }()
		synctest.Wait()
		script(p)
		synctest.Wait()
		got := slices.Clone(p.lake.at)
		close(p.feed) // and not the context: nothing more is flushed
		<-ended
		if !slices.Equal(got, want) {
			t.Errorf("flushed at %q, want %q", got, want)
		}
	})
}

// send feeds n lines as one frame.
func (p *paced) send(n int) {
	p.feed <- journal.Frame{Base: p.next, Count: n, Lines: bytes.Repeat([]byte("{}\n"), n)}
	p.next += event.Seq(n)
	synctest.Wait()
}

// read asks for all that was sent.
func (p *paced) read() {
	if _, err := p.Fresh(context.Background(), p.next); err != nil {
		panic(err)
	}
}

func (p *paced) after(d time.Duration) { time.Sleep(d); synctest.Wait() }

var pace = pipeline.Pace{Gap: 200 * time.Millisecond, Interval: time.Second, Watched: time.Minute, Quiet: 10 * time.Second, Rows: 100}

func TestTheFirstEventsAreFlushedAtOnce(t *testing.T) {
	inBubble(t, pace, func(p *paced) { p.send(3) }, "0s:3")
}

func TestQuietWhileNobodyReads(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.after(500 * time.Millisecond)
		for range 25 {
			p.send(1)
			p.after(time.Second)
		}
	}, "0s:1", "10s:11", "20s:21")
}

func TestManyRowsDoNotWaitForQuiet(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.after(100 * time.Millisecond)
		p.send(150) // a second after the last flush
		p.after(5 * time.Second)
		p.send(99)
		p.after(time.Second)
		p.send(1) // the hundredth: at once
		p.after(time.Second)
	}, "0s:1", "1s:151", "6.1s:251")
}

func TestOncePerIntervalWhileSomebodyReads(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.read() // nothing to flush, but somebody is there
		p.after(125 * time.Millisecond)
		for range 12 {
			p.send(1)
			p.after(250 * time.Millisecond)
		}
	}, "0s:1", "1s:5", "2s:9", "3s:13")
}

func TestAWaitingReaderIsServedAtOnce(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.after(500 * time.Millisecond)
		p.send(1)
		p.read() // 500 ms after the last flush
		p.after(50 * time.Millisecond)
		p.send(1)
		p.read() // 50 ms after: it waits for the gap
	}, "0s:1", "500ms:2", "700ms:3")
}

func TestAReaderWaitsForWhatIsNotCarriedYet(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.after(500 * time.Millisecond)
		done := make(chan struct{})
		go func() { defer close(done); p.Fresh(context.Background(), 4) }()
		p.after(10 * time.Millisecond)
		p.send(1) // not yet what it waits for: at the interval's pace
		p.after(10 * time.Millisecond)
		p.send(1)
		p.after(10 * time.Millisecond)
		p.send(1)
		<-done
	}, "0s:1", "520ms:3")
}

func TestReadingIsForgotten(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.read()
		p.after(59*time.Second + 500*time.Millisecond)
		p.send(1) // somebody has read within the minute: at once, for the last flush is long ago
		p.after(time.Second)
		p.send(1) // nobody has now
		p.after(20 * time.Second)
	}, "0s:1", "59.5s:2", "1m9.5s:3")
}

func TestNothingIsFlushedWhileNothingComes(t *testing.T) {
	inBubble(t, pace, func(p *paced) {
		p.send(1)
		p.read()
		p.after(24 * time.Hour)
		if c := p.Counts(); c.Flushes != 1 || c.Rows != 1 {
			panic(fmt.Sprintf("%+v", c))
		}
	}, "0s:1")
}
