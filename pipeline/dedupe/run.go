package dedupe

import (
	"encoding/binary"
	"os"
	"sync/atomic"
)

// A run is a sorted, immutable file of entries.
type run struct {
	markRun
	f        *os.File
	entries  int64
	last     key
	firsts   []uint64 // high half of each section's first key: what a look-up searches
	sections []section
	users    atomic.Int32 // the index and whoever else reads it; the last one closes it
}

type section struct {
	first      key
	offset     int64
	blockBytes uint32
	summary    uint32 // bytes
	entries    uint32
	slot       int32 // where the cache keeps the summary, from 1; 0 is nowhere. Guarded by Index.mu
}

const (
	runMagic      = "KITHDRUN"
	trailerMagic  = "KITHDEND"
	trailerSize   = 64
	directorySize = 40 // a section
)

func (r *run) name() string { return fileName(r.id, runSuffix) }

func (r *run) retain() *run {
	r.users.Add(1)
	return r
}

func (r *run) release() {
	if r.users.Add(-1) == 0 {
		r.f.Close()
	}
}

// openRun reads the directory of the run that a mark lists.
func openRun(d folder, m markRun, want shape) (*run, error) {
	r := &run{markRun: m}
	r.users.Store(1)
	path := d.path(r.name())
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, corrupt(path, 0, "the checkpoint lists this file, and it is missing")
	}
	if err != nil {
		return nil, err
	}
	r.f = f
	if err := r.readDirectory(want); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) readDirectory(want shape) error {
	path := r.f.Name()
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != r.size {
		return corrupt(path, min(info.Size(), r.size), "the file has %d bytes; the checkpoint knows it with %d", info.Size(), r.size)
	}
	var head [headerSize]byte
	if err := readAt(r.f, head[:], 0); err != nil {
		return err
	}
	if err := checkHeader(path, head[:], runMagic, r.id); err != nil {
		return err
	}
	var t [trailerSize]byte
	if err := readAt(r.f, t[:], r.size-trailerSize); err != nil {
		return err
	}
	le := binary.LittleEndian
	if string(t[:8]) != trailerMagic || sum(t[:60]) != le.Uint32(t[60:]) || le.Uint32(t[60:]) != r.sum {
		return corrupt(path, r.size-trailerSize, "the trailer is damaged, or another run's")
	}
	if v := le.Uint32(t[8:]); v != version {
		return wrongVersion(path, v)
	}
	if b, s := le.Uint32(t[48:]), le.Uint32(t[52:]); b > uint32(want.block) || s > uint32(want.section) {
		return corrupt(path, r.size-trailerSize, "blocks of %d and sections of %d entries; at most %d and %d are read", b, s, want.block, want.section)
	}
	sections, at := int64(le.Uint32(t[12:])), int64(le.Uint64(t[24:]))
	r.entries, r.last = int64(le.Uint64(t[16:])), key{le.Uint64(t[32:]), le.Uint64(t[40:])}
	if at < headerSize || at+sections*directorySize != r.size-trailerSize {
		return corrupt(path, r.size-trailerSize, "the trailer does not agree with the file's length")
	}
	b := make([]byte, sections*directorySize)
	if err := readAt(r.f, b, at); err != nil {
		return err
	}
	if sum(b) != le.Uint32(t[56:]) {
		return corrupt(path, at, "the directory's checksum is wrong")
	}
	return r.parseDirectory(b, at, want)
}

func (r *run) parseDirectory(b []byte, at int64, want shape) error {
	le := binary.LittleEndian
	r.sections, r.firsts = make([]section, 0, len(b)/directorySize), make([]uint64, 0, len(b)/directorySize)
	next, entries := int64(headerSize), int64(0)
	for ; len(b) > 0; b = b[directorySize:] {
		s := section{first: key{le.Uint64(b), le.Uint64(b[8:])}, offset: int64(le.Uint64(b[16:])),
			blockBytes: le.Uint32(b[24:]), summary: le.Uint32(b[28:]), entries: le.Uint32(b[32:])}
		if s.offset != next || s.entries == 0 || s.entries > uint32(want.section) || int(s.summary) > summaryRoom(want) ||
			int64(s.blockBytes) > int64(want.section)*(blockHeader+24) {
			return corrupt(r.f.Name(), at, "section %d of the directory is wrong", len(r.sections))
		}
		next += int64(s.blockBytes) + int64(s.summary)
		entries += int64(s.entries)
		r.sections, r.firsts = append(r.sections, s), append(r.firsts, s.first.hi)
	}
	if next != at || entries != r.entries || entries == 0 {
		return corrupt(r.f.Name(), at, "the directory does not agree with the trailer")
	}
	return nil
}

// section is the last one that begins at or before k, -1 if all begin after it.
func (r *run) section(k key) int {
	firsts := r.firsts
	low, n := 0, len(firsts)
	for n > 1 { // without a branch on the comparison: its outcome is as good as random
		half := n / 2
		if firsts[low+half] <= k.hi {
			low += half
		}
		n -= half
	}
	for low >= 0 && k.less(r.sections[low].first) {
		low--
	}
	return low
}

// A summaries gives the summary of section i of a run.
type summaries interface {
	summary(r *run, i int) (*summary, error)
}

// find returns the number of a span's entry; hash is that of its keys. room is where a block is read to.
func (r *run) find(s span, hash uint64, from summaries, room *[]byte) (seq uint64, ok bool, err error) {
	if s.hi > r.last.hi || s.hi < r.firsts[0] {
		return 0, false, nil
	}
	last := r.section(s.upper())
	first := last
	if s.first != s.last {
		first = max(r.section(s.lower()), 0)
	}
	for i := first; i <= last && i >= 0; i++ {
		m, err := from.summary(r, i)
		if err != nil {
			return 0, false, err
		}
		if !m.filter.Contains(hash) {
			continue
		}
		if seq, ok, err := r.search(i, m, s, room); ok || err != nil {
			return seq, ok, err
		}
	}
	return 0, false, nil
}

// search looks into the blocks of section i that may hold the span.
func (r *run) search(i int, m *summary, s span, room *[]byte) (seq uint64, ok bool, err error) {
	sec := &r.sections[i]
	for b := m.at(s.lower()); b < m.blocks && !s.upper().less(m.first(b)); b++ {
		from, to := m.extent(b, sec.blockBytes)
		if need := int(to-from) + slack; cap(*room) < need {
			*room = make([]byte, need)
		}
		buf := (*room)[:int(to-from)+slack]
		at := sec.offset + int64(from)
		if err := readAt(r.f, buf[:to-from], at); err != nil {
			return 0, false, err
		}
		k, reason := parseBlock(buf, int(to-from))
		if reason != "" {
			return 0, false, corrupt(r.f.Name(), at, "%s", reason)
		}
		if e, ok := k.find(s); ok {
			return e.seq, true, nil
		}
	}
	return 0, false, nil
}

// readSummary reads the summary of section i into b and parses it there.
func (r *run) readSummary(i int, b []byte) (summary, error) {
	sec := &r.sections[i]
	at := sec.offset + int64(sec.blockBytes)
	b = b[:sec.summary]
	if err := readAt(r.f, b, at); err != nil {
		return summary{}, err
	}
	m, reason := parseSummary(b, sec.entries, sec.blockBytes)
	if reason != "" {
		return summary{}, corrupt(r.f.Name(), at, "%s", reason)
	}
	return m, nil
}
