package dedupe

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kith/event"
)

var update = flag.Bool("update", false, "write testdata/v1 anew; a released version's folder is never written anew")

// TestReleasedFormat opens a folder that format version 1 made: two logs and runs with ids 0 to 999.
func TestReleasedFormat(t *testing.T) {
	released := filepath.Join("testdata", "v1")
	key := func(i int) Key {
		if i%4 == 0 {
			return untimedID(fmt.Sprint(i), 480_000)
		}
		return timedID(fmt.Sprint(i), 480_000+int64(i%5))
	}
	if *update {
		os.RemoveAll(released)
		x := mustOpen(t, released, nil, Options{TableIDs: 300})
		for i := range 1000 {
			x.Add(key(i), event.Seq(i+1))
			idle(x)
		}
		mark := mustFlush(t, x)
		x.Committed(mark)
		x.Close()
		os.WriteFile(filepath.Join(released, "mark"), mark, 0o600)
	}
	dir := t.TempDir()
	if err := copyFolder(released, dir, func(string) (int64, bool) { return -1, true }); err != nil {
		t.Fatal(err)
	}
	mark, err := os.ReadFile(filepath.Join(dir, "mark"))
	if err != nil {
		t.Fatal(err)
	}
	x := mustOpen(t, dir, mark, Options{})
	defer x.Close()
	if x.Len() != 1000 || runsOf(x) != 3 {
		t.Errorf("%d ids, %d runs", x.Len(), runsOf(x))
	}
	for i := range 1000 {
		if seq, ok := x.Find(key(i)); !ok || seq != event.Seq(i+1) {
			t.Fatalf("id %d: found %d %v", i, seq, ok)
		}
	}
	if _, err := x.Verify(); err != nil {
		t.Error(err)
	}
}

// TestBlock encodes entries of any spread and reads them back.
func TestBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spread := rapid.SampledFrom([]uint64{0, 1, 255, 1 << 40, ^uint64(0)})
		es := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) entry {
			return entry{key{rapid.Uint64Range(0, spread.Draw(t, "hi")).Draw(t, "a"), rapid.Uint64().Draw(t, "b")}, rapid.Uint64Range(5, 5+spread.Draw(t, "seq")/2).Draw(t, "c")}
		}), 1, 40, func(e entry) key { return e.key }).Draw(t, "entries")
		slices.SortFunc(es, func(a, b entry) int {
			if a.less(b.key) {
				return -1
			}
			return 1
		})
		b := appendBlock(nil, es)
		k, reason := parseBlock(append(b, make([]byte, slack)...), len(b))
		if reason != "" || k.n != len(es) {
			t.Fatalf("%d of %d entries: %s", k.n, len(es), reason)
		}
		for i, e := range es {
			if k.entry(i) != e {
				t.Fatalf("entry %d is %v, want %v", i, k.entry(i), e)
			}
			if got, ok := k.find(span{e.hi, e.lo, e.lo}); !ok || got != e {
				t.Fatalf("entry %d: found %v %v", i, got, ok)
			}
		}
	})
}

// TestRun finds what is in a run and nothing else, where blocks and sections begin with keys that differ late.
func TestRun(t *testing.T) {
	d := folder{dir: tempDir(t)}
	if err := d.make(); err != nil {
		t.Fatal(err)
	}
	id := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) key {
			return key{rapid.Uint64Range(1, 4).Draw(t, "hi"), rapid.Uint64Range(0, 60).Draw(t, "lo")}
		}), 1, 150, rapid.ID[key]).Draw(t, "keys")
		slices.SortFunc(keys, func(a, b key) int {
			if a.less(b) {
				return -1
			}
			return 1
		})
		id++
		w, err := newRunWriter(d, id, small(nil).shape)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range keys {
			if _, err := w.add(entry{k, uint64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := w.finish()
		if err != nil {
			t.Fatal(err)
		}
		defer r.release()
		if err := r.verify(); err != nil {
			t.Fatal(err)
		}
		var from reader
		var room []byte
		for hi := range uint64(6) {
			for lo := range uint64(62) {
				i, want := slices.BinarySearchFunc(keys, key{hi, lo}, func(a, b key) int {
					if a.less(b) {
						return -1
					} else if b.less(a) {
						return 1
					}
					return 0
				})
				seq, ok, err := r.find(span{hi, lo, lo}, key{hi, lo}.hash(), &from, &room)
				if err != nil || ok != want || ok && seq != uint64(i) {
					t.Fatalf("key %d %d: found %d %v %v, want %d %v", hi, lo, seq, ok, err, i, want)
				}
			}
		}
	})
}

// fixed is b with the checksum at a place made right, so that fuzzing comes past it.
func fixed(b []byte, at, from, to int) []byte {
	if from >= 0 && to <= len(b) && from <= to && at >= 0 && at+4 <= len(b) {
		binary.LittleEndian.PutUint32(b[at:], sum(b[from:to]))
	}
	return b
}

func FuzzBlock(f *testing.F) {
	f.Add(appendBlock(nil, []entry{{key{1, 2}, 3}, {key{1, 4}, 9}}))
	f.Add(appendBlock(nil, []entry{{key{1, 2}, 3}, {key{1 << 60, 4}, 1 << 50}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = fixed(bytes.Clone(b), 0, 4, len(b))
		k, reason := parseBlock(append(b, make([]byte, slack)...), len(b))
		if reason != "" {
			return
		}
		for i := range k.n {
			k.entry(i)
		}
		k.find(span{1, 2, 4})
	})
}

func FuzzSummary(f *testing.F) {
	for _, n := range []int{1, 2, 16, 300} {
		hashes, index := make([]uint64, n), make([]byte, indexEntry)
		for i := range hashes {
			hashes[i] = mix64(uint64(i))
		}
		b, err := appendSummary(nil, hashes, index)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint32(n), uint32(100), uint64(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, entries, blockBytes uint32, hash uint64) {
		b = fixed(bytes.Clone(b), 0, 4, len(b))
		m, reason := parseSummary(b, entries, blockBytes)
		if reason != "" {
			return
		}
		m.filter.Contains(hash)
		for i := range m.blocks {
			m.first(i)
			m.extent(i, blockBytes)
		}
		m.at(key{hash, hash})
	})
}

// FuzzRun reads a run whose outermost checksums are right.
func FuzzRun(f *testing.F) {
	dir := f.TempDir()
	w, err := newRunWriter(folder{dir: dir}, 1, small(nil).shape)
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(40) {
		w.add(entry{timedKey(uint32(i/9+1), fingerprint{mix64(i / 9), uint32(i)}), i})
	}
	if _, err := w.finish(); err != nil {
		f.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, fileName(1, runSuffix)))
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if end := len(b) - trailerSize; end >= headerSize {
			if at := binary.LittleEndian.Uint64(b[end+24:]); at < uint64(end) {
				fixed(b, end+56, int(at), end)
			}
			fixed(b, end+60, end, end+60)
		}
		dir := tempDir(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m := markRun{id: 1, size: int64(len(b))}
		os.WriteFile(filepath.Join(dir, fileName(1, runSuffix)), b, 0o600)
		if len(b) >= 4 {
			m.sum = binary.LittleEndian.Uint32(b[len(b)-4:])
		}
		r, err := openRun(folder{dir: dir}, m, small(nil).shape)
		if err != nil {
			return
		}
		defer r.release()
		var from reader
		var room []byte
		for i := range uint64(40) {
			k := timedKey(uint32(i/9+1), fingerprint{mix64(i / 9), uint32(i)})
			r.find(span{k.hi, k.lo, k.lo | 63}, k.hash(), &from, &room)
		}
		r.verify()
	})
}

func FuzzLog(f *testing.F) {
	dir := f.TempDir()
	l, err := createLog(folder{dir: dir}, 1)
	if err != nil {
		f.Fatal(err)
	}
	for i := range uint64(5) {
		l.add(entry{key{i + 1, i}, i})
	}
	l.flush()
	b, _ := os.ReadFile(filepath.Join(dir, l.name()))
	l.close()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = fixed(bytes.Clone(b), headerSize, headerSize+chunkHeader, len(b))
		path := tempDir(t)
		os.WriteFile(path, b, 0o600)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		n := int64(0)
		err = readLog(file, markLog{1, int64(len(b))}, func(entry) error { n++; return nil })
		if err == nil && len(b) > 0 && n > int64(len(b)/entrySize) {
			t.Errorf("%d entries from %d bytes", n, len(b))
		}
	})
}

func FuzzMark(f *testing.F) {
	m := mark{1, 2, 3, []markLog{{1, 100}, {2, 24}}, []markRun{{3, 4000, 5}}}
	f.Add(m.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		b = fixed(bytes.Clone(b), len(b)-4, 0, len(b)-4)
		m, err := parseMark(b)
		if err == nil && b != nil && !bytes.Equal(m.bytes(), b) {
			t.Errorf("read %+v, which is written otherwise", m)
		}
	})
}
