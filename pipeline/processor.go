// Package pipeline carries events from the journal to the lake: one Processor for each partition reads runs of
// lines, prepares each event, drops what it has seen before, numbers its identifiers and appends it to the lake's
// columns. Everything it keeps is a deterministic function of the journal, as consistent as the lake's checkpoint.
package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"kith/event"
	"kith/journal"
	"kith/lake"
	"kith/pipeline/dedupe"
)

// Journal is what the processor needs of package journal.
type Journal interface {
	Read(ctx context.Context, part int, from event.Seq, fn func(journal.Frame) error) error
}

// Preparer turns a journal line into an event; package prepare has it.
type Preparer interface {
	IsControl(line []byte) bool
	Line(line []byte, e *event.Event) event.Outcome
	Explain(o event.Outcome) string // in words
	Reset()
}

// Seen remembers message ids; package dedupe has it.
type Seen interface {
	Add(k dedupe.Key, seq event.Seq) (first event.Seq, duplicate bool)
	Flush() (mark []byte, err error)
	Sync() error
	Committed(mark []byte)
}

// Identities numbers identifiers; package identity has it.
type Identities interface {
	Anchor(e *event.Event) int64
	Flush() (length int64, err error)
	Sync() error
}

// Lake takes the rows; package lake has it.
type Lake interface {
	Checkpoint() lake.Checkpoint
	Append(e *event.Event) error
	Refuse(r lake.Refusal)
	Flush(ctx context.Context, cp lake.Checkpoint, sync func() error) error
	Wait(ctx context.Context, next event.Seq) (*lake.View, error)
}

// Options are the processor's surroundings and its pace.
type Options struct {
	Partition  int
	Journal    Journal
	Prepare    Preparer
	Seen       Seen
	Identities Identities
	Lake       Lake
	Log        *slog.Logger // what went wrong with an event; nil for none
	Pace       Pace
}

// Processor carries one partition. Its methods may be called from any goroutine.
type Processor struct {
	Options
	counts counts
	pace   *pacer
	ended  context.Context // ends when the processor has stopped, which is for good; its cause says why
	end    context.CancelCauseFunc

	mu    sync.Mutex // held while a run is carried or flushed: it guards the stores and what follows
	event event.Event
	next  event.Seq // every line below it has been carried
	mark  []byte    // the last flushed mark of Seen, to be confirmed by the next flush

	flushed event.Seq // every line below it has been given to the lake to be flushed
}

// errStopped is the cause of a good end.
func errStopped() error { return event.Errorf(event.Unavailable, "the processor has stopped") }

// New returns a processor that goes on where the lake's checkpoint stands.
func New(o Options) *Processor {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	next := max(1, o.Lake.Checkpoint().Next)
	p := &Processor{Options: o, next: next, flushed: next}
	p.ended, p.end = context.WithCancelCause(context.Background())
	p.pace = newPacer(o.Pace, p.next, p.timed)
	return p
}

// Run reads the journal until ctx ends, and flushes what it has carried before it returns. It runs once. Its error is
// why it could not go on; a processor opened anew goes on from the last checkpoint.
func (p *Processor) Run(ctx context.Context, ready func()) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ended, cancel)() // a flush that fails between two runs ends the reading too
	ready()
	err := p.Journal.Read(reading, p.Partition, p.Next(), p.frame)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed() != nil:
		return p.failed()
	case ctx.Err() == nil && err == nil:
		return p.stop(event.Errorf(event.Unavailable, "the journal has ended"))
	case ctx.Err() == nil:
		return p.stop(err)
	}
	if err := p.last(context.WithoutCancel(ctx)); err != nil {
		return p.stop(err)
	}
	p.stop(errStopped())
	return nil
}

// last makes the last flush and waits until it is stored.
func (p *Processor) last(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	view, err := p.Lake.Wait(ctx, p.flushed)
	if err != nil {
		return fmt.Errorf("flush the lake: %w", err)
	}
	view.Release()
	return nil
}

// frame carries a run of lines. One bad event never stops the rest.
func (p *Processor) frame(f journal.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failed(); err != nil {
		return err
	}
	seq := f.Base
	for rest := f.Lines; len(rest) > 0; seq++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if seq < p.next {
			continue // carried before the checkpoint that we went on from
		}
		if err := p.carry(line, seq, f.At); err != nil {
			return p.stop(err)
		}
	}
	p.Prepare.Reset()
	p.next = f.End()
	return p.settle()
}

// carry takes one line the whole way: prepare, dedupe, identify, append.
func (p *Processor) carry(line []byte, seq event.Seq, at int64) error {
	e := &p.event
	p.counts.lines.Add(1)
	if p.Prepare.IsControl(line) {
		p.counts.control.Add(1)
		return nil
	}
	if outcome := p.prepareSafely(line, e, seq, at); outcome.Result == event.Quarantined {
		p.counts.quarantined.Add(1)
		p.Lake.Refuse(lake.Refusal{Seq: e.Seq, ReceivedAt: e.ReceivedAt, Source: string(e.Source), Reason: outcome.Reason,
			Place: outcome.Place, Message: p.Prepare.Explain(outcome)})
		return nil
	}
	key := dedupe.Key{Source: e.SourceID, MessageID: e.MessageID, TS: e.OwnTS, HasTime: e.HasTime, ReceivedAt: e.ReceivedAt}
	if _, duplicate := p.Seen.Add(key, e.Seq); duplicate {
		p.counts.duplicates.Add(1)
		return nil
	}
	e.Anchor = p.Identities.Anchor(e)
	e.Person = e.Anchor // until identity links, a person is their strongest identifier
	p.counts.rows.Add(1)
	return p.Lake.Append(e)
}

// prepareSafely sends an event that trips a bug of ours to quarantine, where it can be replayed once that is mended.
func (p *Processor) prepareSafely(line []byte, e *event.Event, seq event.Seq, at int64) (outcome event.Outcome) {
	defer func() {
		if r := recover(); r != nil {
			p.Log.Error("prepare panicked", "seq", seq, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if e.Seq != seq { // it had not even begun
				*e = event.Event{Seq: seq, ReceivedAt: at}
			}
			outcome = event.Outcome{Stage: "prepare", Result: event.Quarantined, Reason: "internal"}
		}
	}()
	return p.Prepare.Line(line, e)
}

// settle flushes if that is due, or arms the timer for when it will be.
func (p *Processor) settle() error {
	if !p.pace.due(p.next, time.Now()) {
		return nil
	}
	return p.flush(context.Background())
}

// flush makes every row so far visible and the checkpoint durable. The index's mark is confirmed one flush later,
// when the transaction that holds it is known to be on disk.
func (p *Processor) flush(ctx context.Context) error {
	if err := p.failed(); err != nil {
		return err
	}
	if p.next == p.flushed {
		return nil
	}
	identity, err := p.Identities.Flush()
	if err != nil {
		return p.stop(fmt.Errorf("flush identifiers: %w", err))
	}
	mark, err := p.Seen.Flush()
	if err != nil {
		return p.stop(fmt.Errorf("flush message ids: %w", err))
	}
	stored := p.mark
	sync := func() error {
		if stored != nil {
			p.Seen.Committed(stored)
		}
		if err := p.Identities.Sync(); err != nil {
			return fmt.Errorf("sync identifiers: %w", err)
		}
		if err := p.Seen.Sync(); err != nil {
			return fmt.Errorf("sync message ids: %w", err)
		}
		return nil
	}
	p.mark = mark
	if err := p.Lake.Flush(ctx, lake.Checkpoint{Next: p.next, Identity: identity, Dedupe: mark}, sync); err != nil {
		return p.stop(fmt.Errorf("flush the lake: %w", err))
	}
	p.counts.flushes.Add(1)
	p.flushed = p.next
	p.pace.done(p.next, time.Now())
	return nil
}

// stop ends the processor for good; whoever waits for a flush is told why. It returns err.
func (p *Processor) stop(err error) error {
	p.end(err)
	p.pace.stop()
	return err
}

// failed returns why the processor has stopped, nil while it works.
func (p *Processor) failed() error { return context.Cause(p.ended) }

// timed runs when the pacer's timer fires. Its error is what Run ends with.
func (p *Processor) timed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.settle()
}

// Next returns the first seq that has not been carried yet.
func (p *Processor) Next() event.Seq {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Fresh returns a pinned view that holds every row below next, as soon as there is one; a flush is made for it. The
// caller releases the view. It fails when ctx ends, and with event.Unavailable when such a view will never be.
func (p *Processor) Fresh(ctx context.Context, next event.Seq) (*lake.View, error) {
	p.pace.want(next, time.Now())
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ended, cancel)()
	view, err := p.Lake.Wait(waiting, next)
	if err == nil {
		return view, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("wait for event %d: %w", next-1, ctx.Err())
	}
	return nil, &event.Error{Code: event.Unavailable, Message: "events cannot be written to the lake",
		Hint: "the log of the server says why", Err: cmp.Or(p.failed(), err)}
}
