package dedupe

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
)

const (
	logMagic     = "KITHDLOG"
	chunkHeader  = 8
	chunkEntries = 4096 // at most, in one chunk
)

// A logFile is the append-only copy of one table.
type logFile struct {
	folder folder
	id     uint64
	f      *os.File
	size   int64 // written
	synced int64 // durable
	chunk  []byte
}

func (l *logFile) name() string { return fileName(l.id, logSuffix) }

func createLog(d folder, id uint64) (*logFile, error) {
	l := &logFile{folder: d, id: id, chunk: make([]byte, 0, chunkHeader+chunkEntries*entrySize)}
	f, err := d.create(l.name())
	if err != nil {
		return nil, err
	}
	l.f = f
	n, err := f.Write(header(logMagic, id))
	l.size = int64(n)
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// openLog hands every entry of a log's first m.size bytes to add, and cuts the file there.
func openLog(d folder, m markLog, add func(entry) error) (*logFile, error) {
	l := &logFile{folder: d, id: m.id, size: m.size, synced: m.size, chunk: make([]byte, 0, chunkHeader+chunkEntries*entrySize)}
	f, err := os.OpenFile(d.path(l.name()), os.O_RDWR, 0)
	if os.IsNotExist(err) {
		return nil, corrupt(d.path(l.name()), 0, "the checkpoint lists this file, and it is missing")
	}
	if err != nil {
		return nil, err
	}
	l.f = f
	if err = readLog(f, m, add); err == nil {
		err = f.Truncate(m.size)
	}
	if err == nil {
		_, err = f.Seek(m.size, io.SeekStart)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// readLog hands every entry of a log's first m.size bytes to add.
func readLog(f *os.File, m markLog, add func(entry) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, m.size), 1<<18)
	at := int64(0)
	b := make([]byte, chunkEntries*entrySize)
	fill := func(b []byte) error {
		if _, err := io.ReadFull(r, b); err == io.EOF || err == io.ErrUnexpectedEOF {
			return corrupt(f.Name(), at, "the file ends before byte %d, up to which the checkpoint counts it", m.size)
		} else if err != nil {
			return err
		}
		return nil
	}
	if err := fill(b[:headerSize]); err != nil {
		return err
	}
	if err := checkHeader(f.Name(), b[:headerSize], logMagic, m.id); err != nil {
		return err
	}
	for at = headerSize; at < m.size; {
		var head [chunkHeader]byte
		if err := fill(head[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(head[4:])
		if n == 0 || n > chunkEntries {
			return corrupt(f.Name(), at, "the chunk's length is damaged")
		}
		c := b[:n*entrySize]
		if err := fill(c); err != nil {
			return err
		}
		if sum(c) != binary.LittleEndian.Uint32(head[:]) {
			return corrupt(f.Name(), at, "the chunk's checksum is wrong")
		}
		for ; len(c) > 0; c = c[entrySize:] {
			e := entry{key{binary.LittleEndian.Uint64(c), binary.LittleEndian.Uint64(c[8:])}, binary.LittleEndian.Uint64(c[16:])}
			if e.hi == 0 {
				return corrupt(f.Name(), at, "the chunk has an entry without a key")
			}
			if err := add(e); err != nil {
				return err
			}
		}
		at += int64(chunkHeader + n*entrySize)
	}
	return nil
}

// add buffers an entry; a full buffer is written, not synced.
func (l *logFile) add(e entry) error {
	if len(l.chunk) == 0 {
		l.chunk = l.chunk[:chunkHeader]
	}
	l.chunk = binary.LittleEndian.AppendUint64(l.chunk, e.hi)
	l.chunk = binary.LittleEndian.AppendUint64(l.chunk, e.lo)
	l.chunk = binary.LittleEndian.AppendUint64(l.chunk, e.seq)
	if len(l.chunk) == cap(l.chunk) {
		return l.flush()
	}
	return nil
}

// flush writes what is buffered as one chunk.
func (l *logFile) flush() error {
	if len(l.chunk) == 0 {
		return nil
	}
	c := l.chunk
	binary.LittleEndian.PutUint32(c, sum(c[chunkHeader:]))
	binary.LittleEndian.PutUint32(c[4:], uint32((len(c)-chunkHeader)/entrySize))
	if _, err := l.f.Write(c); err != nil {
		return err
	}
	l.size += int64(len(c))
	l.chunk = c[:0]
	l.folder.did("write", l.name())
	return nil
}

func (l *logFile) close() {
	if l != nil && l.f != nil {
		l.f.Close()
	}
}
