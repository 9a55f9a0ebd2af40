package identity

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"kith/event"
)

func (n *Interner) open(dir string, length int64) error {
	f, err := os.OpenFile(factsPath(dir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	n.log.dir, n.log.f = dir, f
	n.linked = length > 0 // its first checkpoint came after a Sync
	if err := n.load(length); err != nil {
		f.Close()
		return err
	}
	return nil
}

func (n *Interner) load(length int64) error {
	info, err := n.log.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < length {
		return corrupt(info.Size(), "the facts end here, before the %d bytes of the checkpoint", length)
	}
	if info.Size() > length {
		if err := n.log.f.Truncate(length); err != nil {
			return err
		}
	}
	if length == 0 {
		rand.Read(n.key[:])
		n.log.writing = newFileHeader(n.key)
		return nil
	}
	r := &replayer{n: n, in: bufio.NewReaderSize(io.NewSectionReader(n.log.f, 0, length), 1<<20), length: length}
	if err := r.run(); err != nil {
		return err
	}
	n.log.written = length
	return nil
}

// corrupt says that the file is damaged at an offset.
func corrupt(offset int64, format string, args ...any) *event.Error {
	return event.Errorf(event.Corrupt, "%s is damaged at byte %d: "+format, append([]any{fileName, offset}, args...)...).
		WithHint("restore %s from a backup, or build the lake again from the journal", fileName)
}

// replayer reads the facts back in, group by group.
type replayer struct {
	n      *Interner
	in     *bufio.Reader
	at     int64 // offset of what is read next
	length int64
	group  []byte
	births int64
	lists  [shards][]slot // what each shard of the table will hold
}

func (r *replayer) run() error {
	if err := r.header(); err != nil {
		return err
	}
	for r.at < r.length {
		count, err := r.readGroup()
		if err != nil {
			return err
		}
		if err := r.decode(count); err != nil {
			return err
		}
		r.at += int64(len(r.group))
	}
	if twice := r.n.table.build(&r.lists); twice != 0 {
		return corrupt(r.at, "identifier %d stands in it twice", twice)
	}
	r.n.table.births = r.births
	return nil
}

func (r *replayer) header() error {
	h := make([]byte, fileHeader)
	if _, err := io.ReadFull(r.in, h); err != nil {
		return corrupt(0, "the header is cut off")
	}
	if string(h[:8]) != magic {
		return corrupt(0, "this is no file of identity facts")
	}
	if crc32.Checksum(h[:28], castagnoli) != binary.LittleEndian.Uint32(h[28:]) {
		return corrupt(0, "the header's checksum does not match")
	}
	if v := binary.LittleEndian.Uint32(h[8:]); v != formatVersion {
		return event.Errorf(event.Invalid, "%s has format version %d; this program knows %d", fileName, v, formatVersion).
			WithHint("start the version of Kith that wrote it, or a later one")
	}
	copy(r.n.key[:], h[12:])
	r.at = fileHeader
	return nil
}

func (r *replayer) readGroup() (count uint32, err error) {
	if r.length-r.at < groupHeader {
		return 0, corrupt(r.at, "a group's header is cut off")
	}
	r.group = append(r.group[:0], make([]byte, groupHeader)...)
	if _, err := io.ReadFull(r.in, r.group); err != nil {
		return 0, err
	}
	size := int64(binary.LittleEndian.Uint32(r.group[4:]))
	if r.group[0] != groupTag || size > r.length-r.at-groupHeader {
		return 0, corrupt(r.at, "there is no group here that ends before byte %d", r.length)
	}
	r.group = append(r.group, make([]byte, size)...)
	if _, err := io.ReadFull(r.in, r.group[groupHeader:]); err != nil {
		return 0, err
	}
	if groupSum(r.group) != binary.LittleEndian.Uint32(r.group[20:]) {
		return 0, corrupt(r.at, "the group's checksum does not match")
	}
	return binary.LittleEndian.Uint32(r.group[8:]), nil
}

// decode numbers the group's identifiers and remembers where every 64th stands. They go into lists first, because one
// shard after the other fits the processor's cache, and the whole table does not.
func (r *replayer) decode(count uint32) error {
	before := r.births
	for rest := r.group[groupHeader:]; len(rest) > 0; {
		at := r.at + int64(len(r.group)-len(rest))
		fact, size := readFact(rest)
		if size == 0 {
			return corrupt(at, "there is no fact here that this program knows")
		}
		rest = rest[size:]
		r.births++
		h := r.n.key.hash(fact.kind, fact.value)
		list := &r.lists[h.shard()]
		*list = append(*list, h.slot(r.births))
		if r.births%indexEvery == 1 {
			r.n.log.index = append(r.n.log.index, at)
		}
	}
	if got := r.births - before; got != int64(count) {
		return corrupt(r.at, "the group has %d facts and says %d", got, count)
	}
	return nil
}

// fact is one record: an identifier, and how far its seq is from the one before.
type fact struct {
	kind  Kind
	value []byte
	step  int64
}

// readFact reads the record at the beginning of b; size 0 means that there is none, or only a part of one.
func readFact(b []byte) (f fact, size int) {
	if len(b) == 0 || Kind(b[0]) < UserID || Kind(b[0]) > GroupID {
		return fact{}, 0
	}
	f.kind = Kind(b[0])
	length, n := binary.Uvarint(b[1:])
	if n <= 0 || length > uint64(len(b)-1-n) {
		return fact{}, 0
	}
	from := 1 + n
	f.value = b[from : from+int(length)]
	step, n := binary.Varint(b[from+int(length):])
	if n <= 0 {
		return fact{}, 0
	}
	f.step = step
	return f, from + int(length) + n
}
