package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kith/event"
)

// open finds where the partition goes on: the end of the last segment's last whole append.
func (p *partition) open() error {
	p.mu.Lock() // a segment that is old enough is sealed at once, by another goroutine
	defer p.mu.Unlock()
	bases, err := listSegments(p.file.o.FS, p.file.dir, p.n)
	if err != nil {
		return err
	}
	p.made = true
	if len(bases) == 0 {
		return nil
	}
	p.seen.bases, p.seen.first = bases, bases[0]
	p.base = bases[len(bases)-1]
	if err := p.recover(); err != nil {
		return err
	}
	if p.frames == 0 && len(bases) > 1 { // created by a roll that a crash cut short
		if err := p.inheritTime(bases[len(bases)-2]); err != nil {
			return err
		}
	}
	if err := p.checkClock(); err != nil {
		return err
	}
	p.publish()
	return p.reopen()
}

// recover reads the last segment through and proves every byte of it. What follows the last good block is either
// torn, or damage that only a person may decide about.
func (p *partition) recover() error {
	s, err := openScanner(p.file.o.FS, p.path(p.base), p.n)
	if err != nil {
		return err
	}
	defer s.close()
	p.next = p.base
	for {
		bad := p.accept(s)
		if bad == io.EOF {
			return nil
		}
		d := (*damage)(nil)
		if errors.As(bad, &d) {
			return p.judge(s, d)
		}
		if bad != nil {
			return bad
		}
	}
}

// accept takes the next block of the last segment.
func (p *partition) accept(s *scanner) error {
	at := s.off
	b, err := s.next()
	if err != nil {
		return err
	}
	switch {
	case p.sealed():
		return s.damaged(at, "a block follows the seal")
	case b.kind == kindSeal:
		if b.seal.next != p.next || b.seal.content != at {
			return s.damaged(at, "the seal does not fit what is before it")
		}
		p.size, p.frames, p.lastAt = at+sealSize, sealedFrames, b.seal.maxAt
		return nil
	case b.base != p.next:
		return s.damaged(at, "the frame begins with seq %d, not with %d", b.base, p.next)
	}
	if _, err := s.payload(b); err != nil {
		return err
	}
	whole, err := s.window(at, int(b.size))
	if err != nil {
		return err
	}
	p.sum.Write(whole)
	if p.frames == 0 {
		p.minAt = b.at
	}
	p.frames++
	p.size, p.next, p.lastAt = at+b.size, b.end(), b.at
	return nil
}

// sealedFrames marks a last segment that is sealed, while it is recovered.
const sealedFrames = ^uint32(0)

func (p *partition) sealed() bool { return p.frames == sealedFrames }

// judge decides what the bad bytes at the end are. An append is one write, and it was not acknowledged before all of
// it was synced; so bytes that are followed by nothing but frames of the same append are torn, and bytes that are
// followed by a later append were once good: they are damage, and cutting them would lose what was acknowledged.
func (p *partition) judge(s *scanner, d *damage) error {
	later, found, err := s.resync(d.off, func(b block) bool { return b.kind == kindSeal || b.first > p.next })
	switch {
	case err != nil:
		return err
	case found:
		return d.refuse(p.n, fmt.Sprintf("%s, and good data follows at byte %d", d.reason, later.off))
	case p.sealed() || d.proven:
		return d.refuse(p.n, d.reason)
	}
	p.torn = &tornTail{at: d.off, end: s.limit, reason: d.reason}
	return nil
}

// refuse is damage that only a person may decide about.
func (d *damage) refuse(part int, message string) error {
	return &event.Error{
		Code: event.Corrupt, Message: message,
		Place: event.Place{File: d.path, Path: fmt.Sprintf("byte %d", d.off)},
		Hint: fmt.Sprintf("the disk damaged what was stored; kith verify journal shows it, and with --resync it puts "+
			"stubs in the place of the lost events of partition %d", part),
		Err: d,
	}
}

// inheritTime takes the time of the last event from the segment before an empty one.
func (p *partition) inheritTime(before event.Seq) error {
	path := p.path(before)
	s, _, ok, err := readSeal(p.file.o.FS, path, p.n)
	if err != nil {
		return err
	}
	if !ok || s.next != p.base {
		return &event.Error{Code: event.Corrupt, Message: fmt.Sprintf("it does not end with the seal at seq %d", p.base),
			Place: event.Place{File: path}, Hint: "kith verify journal shows all damage"}
	}
	p.lastAt = s.maxAt
	return nil
}

// checkClock refuses a clock that would stamp new events long before those that are stored.
func (p *partition) checkClock() error {
	now, last := p.file.o.Now(), time.UnixMicro(p.lastAt)
	if behind := last.Sub(now); behind > p.file.o.ClockBehind {
		return event.Errorf(event.Unavailable, "the clock says %s, but partition %d holds an event received at %s, %s later",
			now.UTC().Format(time.RFC3339), p.n, last.UTC().Format(time.RFC3339), behind.Round(time.Second)).
			WithHint("set the clock right; if it was wrong before, allow for it in the journal's clock setting")
	}
	return nil
}

// reopen makes the last segment ready for appends. A torn tail that cannot be set aside because the disk is full
// stays where it is until there is room: nothing of it is shown.
func (p *partition) reopen() error {
	if p.sealed() {
		p.frames = 0
		return nil
	}
	if p.frames > 0 {
		age := p.file.o.Now().Sub(time.UnixMicro(p.minAt))
		p.arm(max(0, p.file.o.SegmentAge-age))
	}
	if p.torn != nil {
		err := p.cutTorn()
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			p.file.o.Log.Warn("journal: the disk is too full to set a torn tail aside; it waits for the next append",
				"partition", p.n, "segment", p.path(p.base), "at", p.torn.at)
			return nil
		}
		return err
	}
	w, err := p.file.o.FS.Append(p.path(p.base))
	p.w = w
	return err
}

// tornTail is what a crash left of an append that nobody was told of.
type tornTail struct {
	at, end int64
	reason  string
}

// cutTorn copies the torn tail to a file of its own, makes that durable, and cuts the segment.
func (p *partition) cutTorn() (err error) {
	aside, err := p.setAside()
	if err != nil {
		return fmt.Errorf("set torn tail aside: %w", err)
	}
	w, err := p.file.o.FS.Append(p.path(p.base))
	if err != nil {
		return err
	}
	if err := errors.Join(w.Truncate(p.torn.at), w.Sync()); err != nil {
		return errors.Join(fmt.Errorf("cut torn tail: %w", err), w.Close())
	}
	p.file.o.Log.Warn("journal: cut the torn tail of an append that was not acknowledged",
		"partition", p.n, "segment", p.path(p.base), "at", p.torn.at, "bytes", p.torn.end-p.torn.at,
		"reason", p.torn.reason, "kept", aside)
	p.w, p.torn = w, nil
	return nil
}

func (p *partition) setAside() (path string, err error) {
	s, err := openScanner(p.file.o.FS, p.path(p.base), p.n)
	if err != nil {
		return "", err
	}
	defer s.close()
	tail, err := s.window(p.torn.at, int(p.torn.end-p.torn.at))
	if err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		path = fmt.Sprintf("%s-%d.%d.torn", strings.TrimSuffix(p.path(p.base), suffix), p.torn.at, i)
		err = writeNew(p.file.o.FS, path, tail)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return path, errors.Join(err, p.file.o.FS.SyncDir(filepath.Dir(path)))
}
