package dedupe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kith/event"
)

// version of the formats in this folder; each file carries it.
const version = 1

const (
	runSuffix = ".run"
	logSuffix = ".log"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func corrupt(path string, offset int64, format string, args ...any) *event.Error {
	return &event.Error{Code: event.Corrupt, Message: fmt.Sprintf(format, args...),
		Place: event.Place{File: path, Path: fmt.Sprintf("byte %d", offset)},
		Hint:  "restore the data folder from a backup, or rebuild the index from the journal"}
}

func wrongVersion(path string, v uint32) *event.Error {
	return &event.Error{Code: event.Corrupt, Message: fmt.Sprintf("format version %d; this program reads version %d", v, version),
		Place: event.Place{File: path}, Hint: "use the release that wrote the folder, or a later one"}
}

// readAt fills b from an offset. A file that ends before is damaged, not unreadable.
func readAt(f *os.File, b []byte, offset int64) error {
	_, err := f.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return corrupt(f.Name(), offset, "the file ends before %d bytes that it should have here", len(b))
	}
	return err
}

// Every file begins with 24 bytes: what it is, version, its number, checksum.
const headerSize = 24

func header(magic string, id uint64) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(magic), version)
	b = binary.LittleEndian.AppendUint64(b, id)
	return binary.LittleEndian.AppendUint32(b, sum(b))
}

func checkHeader(path string, b []byte, magic string, id uint64) error {
	if len(b) < headerSize || string(b[:8]) != magic {
		return corrupt(path, 0, "does not begin with %s", magic)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return wrongVersion(path, v)
	}
	if sum(b[:20]) != binary.LittleEndian.Uint32(b[20:]) || binary.LittleEndian.Uint64(b[12:]) != id {
		return corrupt(path, 0, "the header is damaged, or another file's")
	}
	return nil
}

// A folder does all that changes the directory or makes it durable, so that a test can stop the world at each step.
type folder struct {
	dir  string
	hook func(op, name string)
}

func (d folder) did(op, name string) {
	if d.hook != nil {
		d.hook(op, name)
	}
}

func (d folder) path(name string) string { return filepath.Join(d.dir, name) }

func fileName(id uint64, suffix string) string { return fmt.Sprintf("%010d%s", id, suffix) }

func (d folder) make() error {
	if _, err := os.Stat(d.dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	return folder{dir: filepath.Dir(d.dir)}.syncNames()
}

func (d folder) create(name string) (*os.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	d.did("create", name)
	return f, err
}

func (d folder) sync(f *os.File, name string) error {
	err := f.Sync()
	d.did("sync", name)
	return err
}

// syncNames makes creations durable.
func (d folder) syncNames() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	d.did("names", "")
	return err
}

func (d folder) remove(name string) error {
	err := os.Remove(d.path(name))
	d.did("remove", name)
	return err
}

// keepOnly removes runs and logs that the mark does not list, and returns a file number above all that ever were here.
func (d folder) keepOnly(m mark) (next uint64, err error) {
	names, err := os.ReadDir(d.dir)
	if err != nil {
		return 0, err
	}
	next = max(m.next, 1)
	for _, n := range names {
		suffix := filepath.Ext(n.Name())
		id, err := strconv.ParseUint(strings.TrimSuffix(n.Name(), suffix), 10, 64)
		if err != nil || suffix != runSuffix && suffix != logSuffix {
			continue
		}
		next = max(next, id+1)
		listed := slices.ContainsFunc(m.logs, func(f markLog) bool { return f.id == id && suffix == logSuffix }) ||
			slices.ContainsFunc(m.runs, func(f markRun) bool { return f.id == id && suffix == runSuffix })
		if listed {
			continue
		}
		if err := d.remove(n.Name()); err != nil {
			return 0, err
		}
	}
	return next, nil
}
