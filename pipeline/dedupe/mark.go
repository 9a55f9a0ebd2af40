package dedupe

import (
	"encoding/binary"
	"slices"

	"kith/event"
)

// A mark says which files, and how much of them, are the index at one moment. It is what a checkpoint stores.
type mark struct {
	number uint64 // counts up with every mark
	secret uint64 // check of the folder's key
	next   uint64 // file number not yet used
	logs   []markLog
	runs   []markRun
}

type markLog struct {
	id   uint64
	size int64 // bytes that count
}

type markRun struct {
	id   uint64
	size int64
	sum  uint32 // of the trailer, and so of the directory
}

const (
	markMagic   = "KDM1"
	markHeader  = 4 + 3*8 + 2*2
	markLogSize = 16
	markRunSize = 20
)

func (m mark) bytes() []byte {
	le := binary.LittleEndian
	b := []byte(markMagic)
	for _, v := range []uint64{m.number, m.secret, m.next} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint16(b, uint16(len(m.logs)))
	b = le.AppendUint16(b, uint16(len(m.runs)))
	for _, f := range m.logs {
		b = le.AppendUint64(b, f.id)
		b = le.AppendUint64(b, uint64(f.size))
	}
	for _, f := range m.runs {
		b = le.AppendUint64(b, f.id)
		b = le.AppendUint64(b, uint64(f.size))
		b = le.AppendUint32(b, f.sum)
	}
	return le.AppendUint32(b, sum(b))
}

func parseMark(b []byte) (m mark, err error) {
	if b == nil {
		return mark{}, nil
	}
	damaged := event.Errorf(event.Corrupt, "the checkpoint's mark of the dedupe index is damaged").
		WithHint("restore the data folder from a backup, or rebuild the index from the journal")
	le := binary.LittleEndian
	if len(b) < markHeader+4 || string(b[:4]) != markMagic || sum(b[:len(b)-4]) != le.Uint32(b[len(b)-4:]) {
		return mark{}, damaged
	}
	m = mark{number: le.Uint64(b[4:]), secret: le.Uint64(b[12:]), next: le.Uint64(b[20:])}
	logs, runs := int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	if logs < 1 || logs > 2 || len(b) != markHeader+logs*markLogSize+runs*markRunSize+4 {
		return mark{}, damaged
	}
	b = b[markHeader:]
	for range logs {
		m.logs = append(m.logs, markLog{le.Uint64(b), int64(le.Uint64(b[8:]))})
		b = b[markLogSize:]
	}
	for range runs {
		m.runs = append(m.runs, markRun{le.Uint64(b), int64(le.Uint64(b[8:])), le.Uint32(b[16:])})
		b = b[markRunSize:]
	}
	if slices.ContainsFunc(m.logs, func(f markLog) bool { return f.size < headerSize }) ||
		slices.ContainsFunc(m.runs, func(f markRun) bool { return f.size < headerSize+trailerSize }) {
		return mark{}, damaged
	}
	return m, nil
}
