package journal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kith/event"
)

// WriterOptions are the settings of NewWriter. The zero value is what production uses.
type WriterOptions struct {
	// MaxPending is how many bytes of lines may wait to become durable; whoever comes then waits for room. 0 = 64 MB.
	MaxPending int64
	// MaxCommit is how many bytes of lines one commit gathers; a single append may be larger. 0 = 2 MB.
	MaxCommit int
	// Linger is a pause before each commit that lets more lines come together, for disks where a sync is dear.
	// 0 = none: the next commit fills while the one before it is under way.
	Linger time.Duration
}

// Writer is the group commit above a Log: lines that come while a commit is under way go out together with the next
// one, as one frame, and all who wait for it are answered together. There is no timer, and no goroutine while nothing
// waits. It is safe for many goroutines, and needs no closing.
type Writer struct {
	log  Log
	part int
	o    WriterOptions

	mu      sync.Mutex
	queue   []*commit // not begun, oldest first
	running bool      // a goroutine is working on the queue
	pending int64     // bytes taken and not yet answered
	waiting []*entry  // for room, in order of arrival
	spare   []byte    // a buffer for the next commit

	durable atomic.Int64
}

// A commit is one append to the log.
type commit struct {
	lines []byte
	count int
	bytes int64
	first event.Seq // valid when done is closed, as is err
	err   error
	done  chan struct{}
}

// An entry waits for room.
type entry struct {
	bytes int64
	ready chan struct{} // closed when its bytes are counted as pending
}

// NewWriter returns the one writer of a partition.
func NewWriter(log Log, part int, o WriterOptions) *Writer {
	if o.MaxPending == 0 {
		o.MaxPending = 64 << 20
	}
	if o.MaxCommit == 0 {
		o.MaxCommit = maxRaw
	}
	return &Writer{log: log, part: part, o: o}
}

// Append stores lines, count of them, as Frame.Lines is described for appending, and returns the seq of the first
// when they are durable; the others follow one by one. lines is not kept.
//
// It blocks while MaxPending bytes wait. When ctx ends, it returns its error: while it waited for room nothing is
// stored, later the lines are stored once nevertheless, or not if the log fails. After an error of the log they may
// be stored, unless the log says otherwise.
func (w *Writer) Append(ctx context.Context, lines []byte, count int) (event.Seq, error) {
	if err := checkLines(lines, count); err != nil {
		return 0, err
	}
	if count > MaxFrameEvents {
		return 0, event.Errorf(event.TooLarge, "an append of %d events; the journal takes at most %d at once",
			count, MaxFrameEvents)
	}
	if err := w.admit(ctx, int64(len(lines))); err != nil {
		return 0, fmt.Errorf("wait for room in the journal: %w", err)
	}
	c, at := w.join(lines, count)
	select {
	case <-c.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the journal, which may store the events nevertheless: %w", ctx.Err())
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.first + event.Seq(at), nil
}

// Durable returns a seq below which everything is durable. No append that was answered lies at or above it.
func (w *Writer) Durable() event.Seq {
	if next := w.durable.Load(); next > 0 {
		return event.Seq(next)
	}
	_, next, err := w.log.Bounds(context.Background(), w.part)
	if err != nil {
		return 0
	}
	w.advance(next)
	return event.Seq(w.durable.Load())
}

func (w *Writer) advance(next event.Seq) {
	for {
		have := w.durable.Load()
		if int64(next) <= have || w.durable.CompareAndSwap(have, int64(next)) {
			return
		}
	}
}

// admit counts n bytes as pending as soon as there is room, first come first served.
func (w *Writer) admit(ctx context.Context, n int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	if len(w.waiting) == 0 && w.fits(n) {
		w.pending += n
		w.mu.Unlock()
		return nil
	}
	e := &entry{bytes: n, ready: make(chan struct{})}
	w.waiting = append(w.waiting, e)
	w.mu.Unlock()
	select {
	case <-e.ready:
		return nil
	case <-ctx.Done():
		w.abandon(e)
		return ctx.Err()
	}
}

// fits reports whether n bytes more may wait. What is larger than all the room goes alone.
func (w *Writer) fits(n int64) bool { return w.pending == 0 || w.pending+n <= w.o.MaxPending }

// abandon takes an entry out of the queue for room, or gives its room back.
func (w *Writer) abandon(e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.waiting {
		if other == e {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			w.grant()
			return
		}
	}
	w.release(e.bytes)
}

// release gives room back and lets in who waits for it. w.mu is held.
func (w *Writer) release(n int64) {
	w.pending -= n
	w.grant()
}

func (w *Writer) grant() {
	for len(w.waiting) > 0 && w.fits(w.waiting[0].bytes) {
		w.pending += w.waiting[0].bytes
		close(w.waiting[0].ready)
		w.waiting = w.waiting[1:]
	}
}

// join adds lines to the youngest commit that has room for them, and sees that somebody works on it.
func (w *Writer) join(lines []byte, count int) (c *commit, at int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.queue); n > 0 {
		c = w.queue[n-1]
	}
	if c == nil || len(c.lines)+len(lines) > w.o.MaxCommit || c.count+count > MaxFrameEvents {
		c = &commit{lines: w.spare[:0], done: make(chan struct{})}
		w.spare = nil
		w.queue = append(w.queue, c)
	}
	at = c.count
	c.lines = append(c.lines, lines...)
	c.count += count
	c.bytes += int64(len(lines))
	if !w.running {
		w.running = true
		go w.run()
	}
	return c, at
}

// run commits until the queue is empty.
func (w *Writer) run() {
	for w.more() {
		if w.o.Linger > 0 {
			time.Sleep(w.o.Linger)
		}
		c := w.take()
		// The commit serves many callers, so it ends with none of them.
		first, err := w.log.Append(context.Background(), w.part, Frame{Count: c.count, Lines: c.lines})
		if err == nil {
			w.advance(first + event.Seq(c.count))
		}
		c.first, c.err = first, err
		w.finish(c)
	}
}

// more reports whether there is work; if not, the next append starts run again.
func (w *Writer) more() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.queue) > 0
	return w.running
}

func (w *Writer) take() *commit {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return c
}

// finish answers all who wait for c.
func (w *Writer) finish(c *commit) {
	w.mu.Lock()
	if cap(c.lines) <= keepScratch {
		w.spare = c.lines
	}
	c.lines = nil
	w.release(c.bytes)
	w.mu.Unlock()
	close(c.done)
}
