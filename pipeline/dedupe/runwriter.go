package dedupe

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// A runWriter writes sorted entries as a run, a section at a time.
type runWriter struct {
	folder    folder
	shape     shape
	id        uint64
	f         *os.File
	at        int64   // where the section begins
	block     []entry // not encoded yet
	buf       []byte  // the section
	index     []byte  // of its blocks
	hashes    []uint64
	first     key // of the section
	last      key
	entries   int64
	directory []byte
}

func newRunWriter(d folder, id uint64, s shape) (*runWriter, error) {
	f, err := d.create(fileName(id, runSuffix))
	if err != nil {
		return nil, err
	}
	w := &runWriter{folder: d, shape: s, id: id, f: f, at: headerSize}
	if _, err := f.Write(header(runMagic, id)); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// add takes the next entry; its key is above that of the one before. It says when a section has been written.
func (w *runWriter) add(e entry) (wrote bool, err error) {
	if len(w.hashes) == 0 {
		w.first = e.key
	}
	w.last = e.key
	w.entries++
	w.block = append(w.block, e)
	w.hashes = append(w.hashes, e.hash())
	if len(w.block) == w.shape.block {
		w.endBlock()
	}
	if len(w.hashes) == w.shape.section {
		return true, w.endSection()
	}
	return false, nil
}

func (w *runWriter) endBlock() {
	if len(w.block) == 0 {
		return
	}
	le := binary.LittleEndian
	w.index = le.AppendUint64(w.index, w.block[0].hi)
	w.index = le.AppendUint64(w.index, w.block[0].lo)
	w.index = le.AppendUint32(w.index, uint32(len(w.buf)))
	w.buf = appendBlock(w.buf, w.block)
	w.block = w.block[:0]
}

func (w *runWriter) endSection() (err error) {
	if len(w.hashes) == 0 {
		return nil
	}
	w.endBlock()
	entries, blockBytes := len(w.hashes), len(w.buf)
	if w.buf, err = appendSummary(w.buf, w.hashes, w.index); err != nil {
		return err
	}
	if _, err := w.f.Write(w.buf); err != nil {
		return err
	}
	// The kernel begins to write now: else the final fsync would hold up the journal's, on the same disk, for long.
	unix.SyncFileRange(int(w.f.Fd()), w.at, int64(len(w.buf)), unix.SYNC_FILE_RANGE_WRITE)
	w.folder.did("write", fileName(w.id, runSuffix))
	le := binary.LittleEndian
	w.directory = le.AppendUint64(w.directory, w.first.hi)
	w.directory = le.AppendUint64(w.directory, w.first.lo)
	w.directory = le.AppendUint64(w.directory, uint64(w.at))
	w.directory = le.AppendUint32(w.directory, uint32(blockBytes))
	w.directory = le.AppendUint32(w.directory, uint32(len(w.buf)-blockBytes))
	w.directory = le.AppendUint32(w.directory, uint32(entries))
	w.directory = le.AppendUint32(w.directory, 0)
	w.at += int64(len(w.buf))
	w.buf, w.index, w.hashes = w.buf[:0], w.index[:0], w.hashes[:0]
	return nil
}

// finish makes the run durable, name included, and opens it.
func (w *runWriter) finish() (*run, error) {
	if err := w.endSection(); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	t := le.AppendUint32([]byte(trailerMagic), version)
	t = le.AppendUint32(t, uint32(len(w.directory)/directorySize))
	t = le.AppendUint64(t, uint64(w.entries))
	t = le.AppendUint64(t, uint64(w.at))
	t = le.AppendUint64(t, w.last.hi)
	t = le.AppendUint64(t, w.last.lo)
	t = le.AppendUint32(t, uint32(w.shape.block))
	t = le.AppendUint32(t, uint32(w.shape.section))
	t = le.AppendUint32(t, sum(w.directory))
	t = le.AppendUint32(t, sum(t))
	m := markRun{id: w.id, size: w.at + int64(len(w.directory)+len(t)), sum: le.Uint32(t[60:])}
	if _, err := w.f.Write(append(w.directory, t...)); err != nil {
		return nil, err
	}
	if err := w.folder.sync(w.f, fileName(w.id, runSuffix)); err != nil {
		return nil, err
	}
	if err := w.folder.syncNames(); err != nil {
		return nil, err
	}
	return openRun(w.folder, m, w.shape)
}

// close gives the writer's file back; after an error the part that was written is removed.
func (w *runWriter) close(err error) {
	w.f.Close()
	if err != nil {
		w.folder.remove(fileName(w.id, runSuffix))
	}
}
