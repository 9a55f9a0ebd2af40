package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"kith/event"
	"kith/journal/faultfs"
)

// Repair is what Resync did to one segment.
type Repair struct {
	Path string // of the segment
	Kept string // the damaged file, as it was
	Lost []Loss
}

// Loss is a run of events that damage took, and that stubs stand for now.
type Loss struct {
	Offset   int64 // where the damage began in the damaged file
	From, To event.Seq
}

// Resync writes every damaged segment of a partition anew: good frames as they are, and for each event that is lost a
// control line {"seq":…,"received_at":…,"control":{"lost":"…"}}, so that no seq is ever given twice and readers pass.
// The damaged file is kept beside it. It loses what it cannot read, so only a person may call it, and it refuses while
// a server has the folder.
func Resync(dir string, part int) ([]Repair, error) {
	return resyncPartition(faultfs.OS{}, faultfs.OS{}, dir, part)
}

func resyncPartition(fsys faultfs.FS, volume faultfs.Volume, dir string, part int) (repairs []Repair, err error) {
	lock, err := lockDir(volume, dir)
	if err != nil {
		return nil, fmt.Errorf("resync journal %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	report, err := verify(fsys, dir, part)
	if err != nil {
		return nil, err
	}
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	var at int64
	for i, s := range report.Segments {
		if s.Damage == nil {
			at = s.MaxAt
			continue
		}
		r := &resyncer{fs: fsys, volume: volume, codec: codec, part: part, path: s.Path, next: s.Base,
			base: s.Base, at: at, sum: sha256.New()}
		if i+1 < len(report.Segments) {
			r.until, r.later = report.Segments[i+1].Base, report.Segments[i+1].MinAt
		}
		if err := r.run(); err != nil {
			return repairs, fmt.Errorf("resync journal %s: %w", s.Path, err)
		}
		at = r.at
		repairs = append(repairs, r.done)
	}
	return repairs, nil
}

// A resyncer rewrites one segment.
type resyncer struct {
	fs     faultfs.FS
	volume faultfs.Volume
	codec  *codec
	part   int
	path   string

	base, next event.Seq
	until      event.Seq // base of the segment after it; 0 for the last
	later      int64     // received_at of the first event there; 0 if it is not known
	minAt, at  int64     // received_at: of the first frame, of the last one
	frames     uint32
	sealed     bool
	sum        hash.Hash
	out        []byte
	done       Repair
}

func (r *resyncer) run() error {
	s, err := openScanner(r.fs, r.path, r.part)
	if err != nil {
		return err
	}
	defer s.close()
	if err := r.copyGood(s); err != nil {
		return err
	}
	if r.until > r.next {
		r.stub(s.limit, r.until, r.later)
	}
	if r.sealed || r.until != 0 {
		r.seal()
	}
	return r.replace(s)
}

// copyGood takes over every whole frame whose seq can follow, with stubs where some are missing.
func (r *resyncer) copyGood(s *scanner) error {
	for off := int64(0); ; {
		b, found, err := s.resync(off, r.follows)
		if err != nil || !found {
			return err
		}
		off = b.off + b.size
		if b.kind == kindSeal {
			if b.seal.next > r.next {
				r.stub(b.off, b.seal.next, b.seal.minAt)
			}
			r.sealed = true
			return nil
		}
		if b.base > r.next {
			r.stub(b.off, b.base, b.at)
		}
		whole, err := s.window(b.off, int(b.size))
		if err != nil {
			return err
		}
		r.add(whole, b.header)
	}
}

// follows reports whether a block can stand where the copy is: nothing goes back, nothing leads past the next segment.
func (r *resyncer) follows(b block) bool {
	end, at := b.end(), b.at
	if b.kind == kindSeal {
		end, at = b.seal.next, b.seal.maxAt
	} else if b.base < r.next {
		return false
	}
	return end >= r.next && at >= r.at && (r.until == 0 || end <= r.until)
}

func (r *resyncer) add(whole []byte, h header) {
	r.out = append(r.out, whole...)
	if r.frames == 0 {
		r.minAt = h.at
	}
	r.frames++
	r.at, r.next = h.at, h.end()
}

// stub writes control lines for the events up to, not with, seq to. They bear the time of the last event before them,
// or that of the first one after them.
func (r *resyncer) stub(off int64, to event.Seq, later int64) {
	if r.at == 0 {
		r.at = later
	}
	r.done.Lost = append(r.done.Lost, Loss{Offset: off, From: r.next, To: to - 1})
	for r.next < to {
		n := min(int(to-r.next), MaxFrameEvents)
		line := fmt.Sprintf(`{"control":{"lost":"damaged before byte %d of %s"}}`+"\n", off, filepath.Base(r.path))
		raw, n, _ := stamp(nil, []byte(strings.Repeat(line, n)), r.next, r.at)
		h := header{base: r.next, first: r.next, at: r.at, count: uint32(n), part: uint32(r.part)}
		r.add(r.codec.encode(nil, raw, h), h)
	}
}

func (r *resyncer) seal() {
	r.sum.Write(r.out)
	s := seal{base: r.base, next: r.next, minAt: r.minAt, maxAt: r.at, content: int64(len(r.out)),
		part: uint32(r.part), frames: r.frames}
	r.sum.Sum(s.sum[:0])
	var b [sealSize]byte
	s.put(b[:])
	r.out = append(r.out, b[:]...)
}

// replace keeps the damaged file under another name and puts the new one in its place in one step.
func (r *resyncer) replace(s *scanner) error {
	old, err := s.window(0, int(s.limit))
	if err != nil {
		return err
	}
	r.done.Path = r.path
	kept, err := r.writeFree(".damaged", old)
	if err != nil {
		return fmt.Errorf("keep the damaged file: %w", err)
	}
	r.done.Kept = kept
	fresh, err := r.writeFree(".new", r.out)
	if err != nil {
		return err
	}
	dir := filepath.Dir(r.path)
	if err := r.fs.SyncDir(dir); err != nil {
		return err
	}
	if err := r.volume.Rename(fresh, r.path); err != nil {
		return err
	}
	return r.fs.SyncDir(dir)
}

// writeFree writes a file under the first free name of the segment's with an ending.
func (r *resyncer) writeFree(ending string, data []byte) (string, error) {
	for i := 1; ; i++ {
		path := r.path + ending + strconv.Itoa(i)
		if err := writeNew(r.fs, path, data); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
}
