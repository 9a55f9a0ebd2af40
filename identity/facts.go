package identity

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"kith/event"
)

// The numbers of format.md.
const (
	fileName      = "facts.log"
	magic         = "kithfact"
	formatVersion = 1
	fileHeader    = 32
	groupHeader   = 24
	groupTag      = 0
	indexEvery    = 64 // the offset of every 64th identifier is remembered
)

// castagnoli is the table of CRC-32C; it never changes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// factLog is the file of facts and what is on its way there. In the order of the file: what is written, what is being
// written, and the group that is still open.
type factLog struct {
	dir     string
	f       *os.File
	written int64
	writing []byte
	pending []byte // begins with room for the group's header; empty where no group is open
	count   uint32 // of the open group
	first   event.Seq
	last    event.Seq // of the last fact
	index   []int64   // file offset of identifiers 1, 65, 129, …
}

// append adds an identifier to the open group.
func (l *factLog) append(birth int64, kind Kind, value []byte, seq event.Seq) {
	if len(l.pending) == 0 {
		l.pending = append(l.pending, make([]byte, groupHeader)...)
		l.first, l.last = seq, seq
	}
	if birth%indexEvery == 1 {
		l.index = append(l.index, l.written+int64(len(l.writing)+len(l.pending)))
	}
	l.pending = append(l.pending, byte(kind))
	l.pending = binary.AppendUvarint(l.pending, uint64(len(value)))
	l.pending = append(l.pending, value...)
	l.pending = binary.AppendVarint(l.pending, int64(seq-l.last))
	l.last = seq
	l.count++
}

// seal ends the open group and puts it behind what is to be written.
func (l *factLog) seal() {
	if len(l.pending) == 0 {
		return
	}
	putGroupHeader(l.pending, l.count, l.first)
	if len(l.writing) == 0 {
		l.writing, l.pending = l.pending, l.writing
	} else {
		l.writing = append(l.writing, l.pending...)
		l.pending = l.pending[:0]
	}
	l.count = 0
}

func putGroupHeader(group []byte, count uint32, first event.Seq) {
	group[0] = groupTag
	binary.LittleEndian.PutUint32(group[4:], uint32(len(group)-groupHeader))
	binary.LittleEndian.PutUint32(group[8:], count)
	binary.LittleEndian.PutUint64(group[12:], uint64(first))
	binary.LittleEndian.PutUint32(group[20:], groupSum(group))
}

// groupSum covers all of a group but the sum itself.
func groupSum(group []byte) uint32 {
	return crc32.Update(crc32.Checksum(group[:20], castagnoli), castagnoli, group[groupHeader:])
}

func newFileHeader(k key) []byte {
	h := make([]byte, fileHeader)
	copy(h, magic)
	binary.LittleEndian.PutUint32(h[8:], formatVersion)
	copy(h[12:], k[:])
	binary.LittleEndian.PutUint32(h[28:], crc32.Checksum(h[:28], castagnoli))
	return h
}

// Flush hands the facts collected so far to the operating system and returns the length of the file: what a checkpoint
// remembers once Sync has followed. After an error the facts are still there, and the next Flush tries again.
func (n *Interner) Flush() (length int64, err error) {
	n.flushing.Lock()
	defer n.flushing.Unlock()
	if err := n.damage(); err != nil {
		return 0, err
	}
	n.mu.Lock()
	n.log.seal()
	facts, at := n.log.writing, n.log.written
	n.mu.Unlock()
	if len(facts) > 0 {
		if _, err := n.log.f.WriteAt(facts, at); err != nil {
			n.stuck = true
			return 0, fmt.Errorf("write identity facts: %w", err)
		}
	}
	n.mu.Lock()
	n.log.written += int64(len(facts))
	n.log.writing = n.log.writing[:0]
	length = n.log.written
	n.mu.Unlock()
	n.stuck = false
	return length, nil
}

// spill keeps the memory bounded in a run that flushes seldom. If it fails, so does the next Flush, which says so.
func (n *Interner) spill() {
	n.flushing.Lock()
	stuck := n.stuck
	n.flushing.Unlock()
	if !stuck {
		_, _ = n.Flush()
	}
}

// Sync makes everything that the last Flush handed over durable. After it has failed once, Flush and Sync fail for
// good: the kernel may have dropped what it could not write.
func (n *Interner) Sync() error {
	n.syncing.Lock()
	defer n.syncing.Unlock()
	if n.poisoned != nil {
		return n.poisoned
	}
	err := n.log.f.Sync()
	if err == nil && !n.linked {
		err = syncDir(n.log.dir)
	}
	if err != nil {
		n.poisoned = fmt.Errorf("sync identity facts: %w", err)
		return n.poisoned
	}
	n.linked = true
	return nil
}

func (n *Interner) damage() error {
	n.syncing.Lock()
	defer n.syncing.Unlock()
	return n.poisoned
}

// Close closes the file; facts that were not flushed are found in the journal again.
func (n *Interner) Close() error {
	if err := n.log.f.Close(); err != nil {
		return fmt.Errorf("close identity facts: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func factsPath(dir string) string { return filepath.Join(dir, fileName) }
