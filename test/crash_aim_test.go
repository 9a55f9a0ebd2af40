package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aim is a moment in the server's work at which it is struck, as it can be seen in its data folder.
type aim struct {
	name    string
	dirs    []string // below the data folder; those that are not there are not watched
	mask    uint32   // of inotify
	hit     func(file string) bool
	after   func(file string) bool // hits count from this file on; nil: all count
	skip    int                    // up to so many hits are let pass first
	history bool
	flags   []string
}

// aims are the moments, each with what makes the server come by often.
func aims() []aim {
	const (
		hot      = "lake/hot"
		metadata = "lake/clean/events/metadata"
	)
	often := []string{"--journal-segment-size", "64KB", "--lake-flush-interval", "50ms", "--lake-commit-rows", "400", "--lake-commit-interval", "300ms"}
	seldom := []string{"--journal-segment-size", "64KB", "--lake-flush-interval", "50ms", "--lake-commit-rows", "4000", "--lake-commit-interval", "1s"}
	parquet := func(name string) bool { return strings.Contains(name, ".parquet") }
	return []aim{
		{name: "append", dirs: []string{"journal/*"}, mask: unix.IN_MODIFY, hit: isSegment, skip: 40, flags: seldom},
		{name: "segment seal", dirs: []string{"journal/*"}, mask: unix.IN_CREATE, hit: isSegment, skip: 2, flags: seldom},
		{name: "flush", dirs: []string{hot}, mask: unix.IN_CREATE, hit: parquet, skip: 3, flags: seldom},
		{name: "checkpoint", dirs: []string{"lake"}, mask: unix.IN_MODIFY, hit: isWAL, skip: 9, flags: seldom},
		{name: "hot swap", dirs: []string{hot}, mask: unix.IN_MOVED_TO | unix.IN_DELETE, hit: parquet, skip: 4, flags: often},
		{name: "Iceberg commit", dirs: []string{metadata}, mask: unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE, hit: func(string) bool { return true }, skip: 12, flags: often},
		{name: "catalogue", dirs: []string{metadata, "lake"}, mask: unix.IN_MOVED_TO | unix.IN_MODIFY, skip: 12, flags: often, // between it and the hot list
			hit: isWAL, after: func(n string) bool { return strings.HasSuffix(n, ".metadata.json") }},
		{name: "bulk-lane commit", dirs: []string{"lake/spill", "lake/clean/events/data", "lake/clean/events/data/*"}, mask: unix.IN_CREATE | unix.IN_MOVED_TO,
			hit: func(string) bool { return true }, skip: 30, history: true, flags: often},
	}
}

func isWAL(name string) bool { return name == "lake.db-wal" }

func isSegment(name string) bool { return strings.HasSuffix(name, ".jsonl.zst") }

// sight is an open inotify on the folders of an aim.
type sight struct {
	aim  aim
	file *os.File
	buf  [64 << 10]byte
}

func (a aim) watch(data string) (*sight, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	w := &sight{aim: a, file: os.NewFile(uintptr(fd), "inotify")}
	for _, pattern := range a.dirs {
		dirs, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil {
			return nil, errors.Join(err, w.file.Close())
		}
		for _, dir := range dirs {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				continue
			}
			if _, err := unix.InotifyAddWatch(fd, dir, a.mask); err != nil {
				return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), w.file.Close())
			}
		}
	}
	return w, nil
}

func (w *sight) close() error { return w.file.Close() }

// wait returns at the hit after skip others.
func (w *sight) wait(skip int, limit time.Duration) error {
	if err := w.file.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	counts := w.aim.after == nil
	for {
		n, err := w.file.Read(w.buf[:])
		if err != nil {
			return fmt.Errorf("wait for %s: %w", w.aim.name, err)
		}
		for rest := w.buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&rest[0]))
			end := unix.SizeofInotifyEvent + int(e.Len)
			name := string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:end], "\x00"))
			rest = rest[end:]
			counts = counts || w.aim.after(name)
			if !counts || !w.aim.hit(name) {
				continue
			}
			if skip--; skip < 0 {
				return nil
			}
		}
	}
}
