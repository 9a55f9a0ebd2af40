package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"kith/event"
	"kith/journal/faultfs"
)

// FileOptions are the settings of OpenFile. The zero value is what production uses.
type FileOptions struct {
	SegmentBytes int64         // a segment is sealed when it has so many bytes; 0 = 64 MB
	SegmentAge   time.Duration // or so long after its first event; 0 = 1 h
	// MinFree is how many bytes the disk must have free for an append to be taken. 0 is 512 MB or 1 % of the disk,
	// whichever is more; below 0 there is no limit.
	MinFree int64
	// ClockBehind is how far the clock may stand before the last event received for OpenFile to go on; 0 = 1 h.
	ClockBehind time.Duration
	// OnSeal is told of each segment that is sealed while the journal is open, by the goroutine that sealed it; it
	// must not call the journal's Append or Close. A crash may come between sealing and telling: File.Segments
	// knows all.
	OnSeal func(Segment)

	Now    func() time.Time // nil = time.Now
	Log    *slog.Logger     // nil = silence; it hears of repairs
	FS     faultfs.FS       // nil = the operating system's
	Volume faultfs.Volume   // nil = the operating system's
}

func (o FileOptions) withDefaults() FileOptions {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.SegmentAge == 0 {
		o.SegmentAge = time.Hour
	}
	if o.ClockBehind == 0 {
		o.ClockBehind = time.Hour
	}
	if o.OnSeal == nil {
		o.OnSeal = func(Segment) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = faultfs.OS{}
	}
	if o.Volume == nil {
		o.Volume = faultfs.OS{}
	}
	return o
}

// File is the embedded Log: segment files in a folder for each partition (format.md). It numbers events from 1
// without gaps, stamps them with the time of receipt, and answers an append when fdatasync returned.
//
// After a write or a sync that failed it takes no more appends, for what the disk then holds is not known: every
// Append answers Unavailable with the reason, reading goes on, Failed is closed, and only a restart mends it.
type File struct {
	dir   string
	o     FileOptions
	codec *codec
	space *space
	lock  io.Closer

	mu    sync.Mutex
	parts []*partition // by number, ascending

	poison atomic.Pointer[event.Error]
	failed chan struct{}
	closed chan struct{}
	once   sync.Once
	timers sync.WaitGroup // armed seal timers
}

var _ Log = (*File)(nil)

// OpenFile opens the journal in a folder, which it creates if need be, and takes it for this process. What a crash
// left unfinished at a partition's end is moved to a file *.torn beside it.
//
// It refuses, with an event.Error: a folder that another process has (Conflict), a clock that stands before the
// last event received (Unavailable), a damaged last segment (Corrupt), a newer format (Invalid).
func OpenFile(dir string, o FileOptions) (*File, error) {
	o = o.withDefaults()
	f := &File{dir: dir, o: o, space: &space{volume: o.Volume, dir: dir, min: o.MinFree, now: o.Now},
		failed: make(chan struct{}), closed: make(chan struct{})}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", dir, errors.Join(err, f.Close()))
	}
	return f, nil
}

func (f *File) open() (err error) {
	if f.codec, err = newCodec(); err != nil {
		return err
	}
	if err := f.o.Volume.MakeDir(f.dir); err != nil {
		return err
	}
	if f.lock, err = lockDir(f.o.Volume, f.dir); err != nil {
		return err
	}
	parts, err := listPartitions(f.o.FS, f.dir)
	if err != nil {
		return err
	}
	for _, n := range parts {
		p := newPartition(f, n)
		f.parts = append(f.parts, p)
		if err := p.open(); err != nil {
			return err
		}
	}
	return nil
}

func lockDir(v faultfs.Volume, dir string) (io.Closer, error) {
	lock, err := v.Lock(dir)
	if held := (*faultfs.Held)(nil); errors.As(err, &held) {
		return nil, event.Errorf(event.Conflict, "%w", held).
			WithHint("one server writes to a folder at a time; stop that one, or give this one a folder of its own")
	}
	return lock, err
}

// partition finds a partition, or makes one that is empty; its folder comes with its first append.
func (f *File) partition(n int) (*partition, error) {
	if n < 0 {
		return nil, event.Errorf(event.Invalid, "there is no partition %d", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return nil, err
	}
	at := 0
	for at < len(f.parts) && f.parts[at].n < n {
		at++
	}
	if at == len(f.parts) || f.parts[at].n != n {
		f.parts = append(f.parts[:at], append([]*partition{newPartition(f, n)}, f.parts[at:]...)...)
	}
	return f.parts[at], nil
}

// Append stores lines; see Log. One append is one write and one fdatasync, of as many frames as its size needs.
// While the disk has less free than MinFree it answers Unavailable, and takes appends again when there is room.
func (f *File) Append(ctx context.Context, part int, fr Frame) (event.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkLines(fr.Lines, fr.Count); err != nil {
		return 0, err
	}
	p, err := f.partition(part)
	if err != nil {
		return 0, err
	}
	return p.append(fr)
}

// Bounds returns the first seq and the one after the last durable one: the next to be given.
func (f *File) Bounds(_ context.Context, part int) (first, next event.Seq, err error) {
	p, err := f.partition(part)
	if err != nil {
		return 0, 0, err
	}
	v := p.view()
	return v.first, v.next, nil
}

// Trim is refused: the segments are the raw zone, which only a retention rule may shorten.
func (f *File) Trim(context.Context, int, event.Seq) error {
	return event.Errorf(event.NotAllowed, "the journal's files are the raw zone and are not trimmed").
		WithHint("what a partition may lose is said by a retention rule")
}

// Poisoned returns why the journal takes no more appends; nil while it does.
func (f *File) Poisoned() error {
	if e := f.poison.Load(); e != nil {
		return e
	}
	return nil
}

// Space returns why the disk has too little room for appends, or nil. It looks at the disk at most once a second.
func (f *File) Space() error { return f.space.check() }

// Failed is closed when the journal is poisoned.
func (f *File) Failed() <-chan struct{} { return f.failed }

// fail poisons the journal; the first reason stays.
func (f *File) fail(part int, cause error) error {
	e := &event.Error{
		Code: event.Unavailable,
		Message: fmt.Sprintf("the journal takes no more events since %s: partition %d: %v",
			f.o.Now().UTC().Format(time.RFC3339), part, cause),
		Hint: "what is stored can be read; see to the disk, then restart",
		Err:  cause,
	}
	if f.poison.CompareAndSwap(nil, e) {
		close(f.failed)
	}
	return f.poison.Load()
}

// usable reports whether the journal is open.
func (f *File) usable() error {
	select {
	case <-f.closed:
		return errClosed()
	default:
		return nil
	}
}

func errClosed() error { return event.Errorf(event.Unavailable, "the journal is closed") }

// Close ends all reads, waits for the append under way in each partition and lets go of the folder. The last
// segments stay open for the next start.
func (f *File) Close() error {
	var errs []error
	f.once.Do(func() {
		f.mu.Lock()
		close(f.closed)
		f.mu.Unlock()
		for _, p := range f.parts {
			errs = append(errs, p.close())
		}
		f.timers.Wait()
		if f.lock != nil {
			errs = append(errs, f.lock.Close())
		}
	})
	return errors.Join(errs...)
}
