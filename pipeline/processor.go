// Package pipeline carries events from the journal to the lake: one Processor for each partition reads runs of
// lines, prepares each event, drops what it has seen before, numbers its identifiers and appends it to the lake's
// columns. Everything it keeps is a deterministic function of the journal, as consistent as the lake's checkpoint.
package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
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
	Log        *slog.Logger
	Pace       Pace
}

// Processor carries one partition. Its methods may be called from any goroutine.
type Processor struct {
	Options
	counts counts

	mu    sync.Mutex // guards what follows, and everything that is called with it held
	event event.Event
	next  event.Seq // every line below it has been carried
	mark  []byte    // the last flushed mark of Seen, to be confirmed by the next flush
	pace  pacer
	fail  error // why the processor stopped; it does not go on
}

// New returns a processor that goes on where the lake's checkpoint stands.
func New(o Options) *Processor {
	p := &Processor{Options: o, next: max(1, o.Lake.Checkpoint().Next)}
	p.pace = newPacer(o.Pace, p.next, p.timed)
	return p
}

// Run reads the journal until ctx ends, and flushes what it has carried before it returns.
func (p *Processor) Run(ctx context.Context, ready func()) error {
	ready()
	err := p.Journal.Read(ctx, p.Partition, p.Next(), p.frame)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace.stop()
	if ctx.Err() == nil {
		p.stop(err)
		return err
	}
	return p.flush(context.WithoutCancel(ctx))
}

// frame carries a run of lines. One bad event never stops the rest.
func (p *Processor) frame(f journal.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	skip := int(p.next - f.Base)
	for rest := f.Lines; len(rest) > 0; skip-- {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if skip > 0 || len(line) == 0 {
			continue
		}
		if err := p.carry(line); err != nil {
			p.stop(err)
			return err
		}
	}
	p.Prepare.Reset()
	p.next = f.Base + event.Seq(f.Count)
	return p.settle()
}

// carry takes one line the whole way: prepare, dedupe, identify, append.
func (p *Processor) carry(line []byte) error {
	e := &p.event
	p.counts.lines.Add(1)
	if p.Prepare.IsControl(line) {
		p.counts.control.Add(1)
		return nil
	}
	if outcome := p.prepareSafely(line, e); outcome.Result == event.Quarantined {
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
func (p *Processor) prepareSafely(line []byte, e *event.Event) (outcome event.Outcome) {
	defer func() {
		if r := recover(); r != nil {
			p.Log.Error("prepare panicked", "seq", e.Seq, "panic", fmt.Sprint(r))
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
	if p.fail != nil {
		return p.fail
	}
	if p.next == p.pace.flushed {
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
	p.pace.done(p.next, time.Now())
	return nil
}

// stop remembers why the processor ends; whoever waits for a flush is told the same.
func (p *Processor) stop(err error) error {
	if p.fail == nil && err != nil {
		p.fail = err
		p.pace.stop()
	}
	return err
}

// timed runs when the pacer's timer fires.
func (p *Processor) timed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		if err := p.settle(); err != nil {
			p.Log.Error("flush failed", "err", err)
		}
	}
}

// Next returns the first seq that has not been carried yet.
func (p *Processor) Next() event.Seq {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Fresh returns a pinned view that holds every row below next, flushing for it. The caller releases the view.
func (p *Processor) Fresh(ctx context.Context, next event.Seq) (*lake.View, error) {
	p.mu.Lock()
	p.pace.want(next, time.Now())
	err := p.fail
	if err == nil {
		err = p.settle()
	}
	p.mu.Unlock()
	if err != nil {
		return nil, &event.Error{Code: event.Unavailable, Message: "events cannot be written to the lake", Hint: "the log of the server says why", Err: err}
	}
	return p.Lake.Wait(ctx, next)
}
