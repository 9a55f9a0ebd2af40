// Package dedupe remembers every event that went into the lake, for ever and exactly, so that a client's resend is
// refused: it maps (source, message id, hour of the event's own time) to the number of the event that came first.
//
// It is a log-structured merge index. The newest ids lie in a hash table whose entries also go to an append-only
// log. A full table becomes a sorted, immutable run; runs of like size are merged in the background, so that an id is
// looked for in few of them. A run is cut into sections with a filter each, and only sections that are asked for take
// memory. What is on disk is described by byte in format.md.
//
// The folder is as consistent as the checkpoint: Flush returns a mark, which goes into the checkpoint's transaction,
// and Open brings the folder back to exactly that mark. Whatever fails on the way (a write, an fsync, a checksum)
// poisons the Index: its answers are void from then on, Flush returns the reason, so that no answer given after the
// failure can be committed, and the way on is Close and Open at the last mark.
package dedupe

import (
	"errors"
	"fmt"
	"sync"

	"kith/event"
)

// Key names an event for the purpose of recognising its repetition.
type Key struct {
	Source    event.SourceID
	MessageID []byte
	// TS is the event's own time in microseconds since 1970 UTC, where HasTime. It must be the time as the client
	// wrote it: a resend keeps that, while a time corrected by when it was sent or received may move to another
	// hour with each resend.
	TS      int64
	HasTime bool
	// ReceivedAt, microseconds since 1970 UTC, stands in for the time of an event that has none of its own: such
	// an event is compared with those received in the same hour and the 48 hours before it.
	ReceivedAt int64
}

// Options bounds the memory of an Index. The zero value is what production uses.
type Options struct {
	// TableIDs is how many ids one table holds before it is spilled. Two tables may be held at once, at up to 48
	// bytes an id each. Default 786,432: 25 MB a table.
	TableIDs int
	// FilterBytes is the most memory that filters of runs take, whatever the number of remembered ids. Filters
	// beyond it are read again when needed. Default 256 MB, the filters of 200 million ids.
	FilterBytes int

	shape shape                 // tests make it small
	hook  func(op, name string) // tests see every step on the disk
}

// Shape is the geometry of runs and tiers. It is no option: files of another shape are of another format.
type shape struct {
	block   int // entries a block
	section int // entries a section
	fan     int // runs of one tier that are merged into one of the next; a power of two
}

func (o Options) withDefaults() Options {
	if o.TableIDs <= 0 {
		o.TableIDs = 3 << 18
	}
	if o.FilterBytes <= 0 {
		o.FilterBytes = 256 << 20
	}
	if o.shape == (shape{}) {
		o.shape = shape{block: 256, section: 1 << 16, fan: 4}
	}
	return o
}

// maxRuns is where Add begins to wait for merging. Tiers keep the number of runs below it unless merging falls behind.
const maxRuns = 64

// Index is the memory of what was seen. Add and Flush are called by one goroutine; all other methods may be called
// by any, at any time before Close.
type Index struct {
	folder folder
	secret secret
	o      Options

	syncing sync.Mutex // held by whoever fsyncs or closes logs; taken before mu

	mu      sync.Mutex // guards all below
	changed sync.Cond  // a spill or a merge has ended, or failed
	err     error      // the first failure; final
	closed  bool

	active  *table   // newest ids
	log     *logFile // what active holds, and what is not yet on its way to the disk
	frozen  *table   // full, being spilled; nil otherwise
	frozLog *logFile
	runs    []*run // replaced, never changed in place
	filters *cache

	nextID    uint64     // of a file
	flushes   uint64     // number of the last mark given out
	covered   []*logFile // logs that the last mark lists
	newFiles  bool       // the folder has names that no fsync covers yet
	obsolete  []leftover
	merging   bool
	working   sync.WaitGroup // the spill and the merge under way
	scratch   []byte         // fingerprint input
	blockRoom []byte         // block being searched by Add
}

// A leftover is a file that the state does not need any more, but a mark may.
type leftover struct {
	name string
	log  *logFile // to be closed; nil for a run
	last uint64   // number of the last mark that may list it
}

// Open brings the folder back to what it held when Flush returned mark, and removes everything newer. A nil mark is
// an empty index. The folder is made if it is not there. A file that mark lists and that is missing or damaged is an
// Error of code Corrupt that names it.
func Open(dir string, mark []byte, o Options) (*Index, error) {
	x, err := open(dir, mark, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open dedupe index %s: %w", dir, err)
	}
	return x, nil
}

func open(dir string, mark []byte, o Options) (_ *Index, err error) {
	x := &Index{folder: folder{dir, o.hook}, o: o}
	x.changed.L = &x.mu
	defer func() {
		if err != nil {
			x.release()
		}
	}()
	m, err := parseMark(mark)
	if err != nil {
		return nil, err
	}
	if err := x.folder.make(); err != nil {
		return nil, err
	}
	if x.secret, err = loadSecret(x.folder, mark == nil); err != nil {
		return nil, err
	}
	if mark != nil && m.secret != x.secret.check() {
		return nil, &event.Error{Code: event.Corrupt, Message: "this is not the key that the checkpoint was made with",
			Place: event.Place{File: x.folder.path(secretName)}, Hint: "restore the file together with the rest of the data folder"}
	}
	if x.nextID, err = x.folder.keepOnly(m); err != nil {
		return nil, err
	}
	x.flushes = m.number
	if x.filters, err = newCache(o.FilterBytes, o.shape); err != nil {
		return nil, err
	}
	if err := x.openRuns(m); err != nil {
		return nil, err
	}
	if err := x.openLogs(m); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.frozen != nil {
		x.startSpill()
	}
	x.startMerge()
	return x, nil
}

func (x *Index) openRuns(m mark) error {
	for _, f := range m.runs {
		r, err := openRun(x.folder, f, x.o.shape)
		if err != nil {
			return err
		}
		x.runs = append(x.runs, r)
	}
	return nil
}

// openLogs reads the logs back into tables: the last one is the active table's, one before it a full table's whose
// run was not in the mark.
func (x *Index) openLogs(m mark) (err error) {
	for i, f := range m.logs {
		t, err := newTable(x.o.TableIDs, firstSlots)
		if err != nil {
			return err
		}
		last := i == len(m.logs)-1
		if last {
			x.active = t
		} else {
			x.frozen = t
		}
		l, err := openLog(x.folder, f, t.add)
		if err != nil {
			return err
		}
		if last {
			x.log = l
		} else {
			x.frozLog = l
		}
	}
	if x.active != nil {
		return nil
	}
	if x.active, err = newTable(x.o.TableIDs, firstSlots); err != nil {
		return err
	}
	return x.newLog()
}

// newLog gives the active table its log.
func (x *Index) newLog() (err error) {
	x.log, err = createLog(x.folder, x.newID())
	x.newFiles = true
	return err
}

func (x *Index) newID() uint64 {
	x.nextID++
	return x.nextID - 1
}

// fail records the first failure; there is no way back from it. The caller holds mu.
func (x *Index) fail(err error) {
	if x.err == nil && err != nil {
		x.err = fmt.Errorf("dedupe index %s: %w", x.folder.dir, err)
	}
	x.changed.Broadcast()
}

// Err returns why the index is poisoned, nil if it is not.
func (x *Index) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Len is the number of remembered ids.
func (x *Index) Len() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := int64(x.active.n)
	if x.frozen != nil {
		n += int64(x.frozen.n)
	}
	for _, r := range x.runs {
		n += r.entries
	}
	return n
}

var errClosed = errors.New("closed")

// Close stops what runs in the background and gives everything back. What was not flushed is forgotten; the folder
// stays as a crash would leave it.
func (x *Index) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	x.fail(errClosed)
	x.mu.Unlock()
	x.working.Wait()
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.release()
	return nil
}

// release gives back files and memory, of a half-opened index too. Readers that still hold a run close it themselves.
func (x *Index) release() {
	for _, r := range x.runs {
		r.release()
	}
	for _, l := range []*logFile{x.log, x.frozLog} {
		l.close()
	}
	for _, f := range x.obsolete {
		f.log.close()
	}
	for _, t := range []*table{x.active, x.frozen} {
		t.free()
	}
	x.filters.free()
	x.runs, x.obsolete = nil, nil
	x.log, x.frozLog = nil, nil
	x.active, x.frozen, x.filters = &table{}, nil, nil
}
