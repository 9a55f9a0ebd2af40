package faultfs_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kith/journal/faultfs"
)

type disk interface {
	faultfs.FS
	faultfs.Volume
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func content(t *testing.T, d disk, name string) string {
	t.Helper()
	r := must[faultfs.Reader](t)(d.Open(name))
	defer r.Close()
	b := make([]byte, must[int64](t)(r.Size()))
	if _, err := r.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBothAreAlike runs the same on the real disk and on the one in memory.
func TestBothAreAlike(t *testing.T) {
	for name, d := range map[string]disk{"memory": faultfs.NewMem(), "disk": faultfs.OS{}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := errors.Join(d.MakeDir(dir), d.MakeDir(dir)); err != nil {
				t.Fatal(err)
			}
			one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
			w := must[faultfs.Writer](t)(d.Create(one))
			must[int](t)(w.Write([]byte("hello, world")))
			if err := errors.Join(w.Sync(), w.Close(), d.SyncDir(dir)); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Create(one); !errors.Is(err, fs.ErrExist) {
				t.Errorf("create what exists: %v", err)
			}
			w = must[faultfs.Writer](t)(d.Append(one))
			if err := w.Truncate(5); err != nil {
				t.Fatal(err)
			}
			must[int](t)(w.Write([]byte(" again")))
			if err := errors.Join(w.Sync(), w.Close(), d.Rename(one, two)); err != nil {
				t.Fatal(err)
			}
			if got := content(t, d, two); got != "hello again" {
				t.Errorf("got %q", got)
			}
			for _, err := range []error{second(d.Open(one)), second(d.Append(one)), second(d.ReadDir(one)), d.Rename(one, two)} {
				if err == nil {
					t.Errorf("a file that is gone can be used")
				}
			}
			if names := must[[]string](t)(d.ReadDir(dir)); len(names) != 1 || names[0] != "two" {
				t.Errorf("names %v", names)
			}
			if free, total, err := d.Free(dir); err != nil || free <= 0 || total < free {
				t.Errorf("free %d of %d, %v", free, total, err)
			}
			lock, err := d.Lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			held := (*faultfs.Held)(nil)
			if _, err := d.Lock(dir); !errors.As(err, &held) || !strings.Contains(err.Error(), dir+" is in use by ") {
				t.Errorf("lock twice: %v", err)
			}
			if err := lock.Close(); err != nil {
				t.Fatal(err)
			}
			lock, err = d.Lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			lock.Close()
		})
	}
}

func second[T any](_ T, err error) error { return err }

func write(t *testing.T, m *faultfs.Mem, name, text string) faultfs.Writer {
	t.Helper()
	w, err := m.Append(name)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = m.Create(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	must[int](t)(w.Write([]byte(text)))
	return w
}

func TestPowerCutLeavesWhatWasSynced(t *testing.T) {
	m := faultfs.NewMem()
	if err := m.MakeDir("/d"); err != nil {
		t.Fatal(err)
	}
	if err := write(t, m, "/d/named", "synced").Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	write(t, m, "/d/named", " and not")
	if err := write(t, m, "/d/nameless", "synced").Sync(); err != nil {
		t.Fatal(err)
	}
	if m.ReadFile("/d/nameless") == nil {
		t.Error("a running process does not see its file")
	}
	after := m.PowerCut(nil)
	if got := string(after.ReadFile("/d/named")); got != "synced" || after.ReadFile("/d/nameless") != nil {
		t.Errorf("after the cut: %q, and %q", got, after.ReadFile("/d/nameless"))
	}
	torn := m.PowerCut(func(_ string, tail []byte) []byte { return tail[:4] })
	if got := string(torn.ReadFile("/d/named")); got != "synced and" {
		t.Errorf("after a torn cut: %q", got)
	}
}

func TestFailedSyncLosesThoughTheNextOneWorks(t *testing.T) {
	m := faultfs.NewMem()
	m.WriteFile("/d/f", []byte("good "))
	w := write(t, m, "/d/f", "lost ")
	m.FailSync(0, syscall.EIO)
	if err := w.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	m.FailSync(9, nil)
	must[int](t)(w.Write([]byte("late")))
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := string(m.ReadFile("/d/f")); got != "good lost late" {
		t.Errorf("a running process sees %q", got)
	}
	if got := string(m.PowerCut(nil).ReadFile("/d/f")); got != "good \x00\x00\x00\x00\x00late" {
		t.Errorf("the disk has %q", got)
	}
}

func TestFaults(t *testing.T) {
	m := faultfs.NewMem()
	m.WriteFile("/d/f", nil)
	w := write(t, m, "/d/f", "")
	try := func(what, text string, want error, kept int) {
		t.Helper()
		if n, err := w.Write([]byte(text)); n != kept || !errors.Is(err, want) {
			t.Errorf("%s: kept %d bytes, %v", what, n, err)
		}
	}
	m.FullAfter(6)
	try("room", "1234", nil, 4)
	try("no room", "5678", syscall.ENOSPC, 2)
	m.FullAfter(100)
	m.ShortWrite(1)
	try("short", "789", syscall.EIO, 1)
	try("after it", "8", nil, 1)
	m.ReadOnly(true)
	try("read-only", "9", syscall.EROFS, 0)
	for _, err := range []error{w.Truncate(0), w.Sync(), second(m.Create("/d/g")), second(m.Append("/d/f")), m.MakeDir("/e"),
		m.Rename("/d/f", "/d/g"), second(m.Lock("/d"))} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("read-only: %v", err)
		}
	}
	m.ReadOnly(false)
	m.Flip("/d/f", 0, 3)
	if got := string(m.ReadFile("/d/f")); got != "92345678" {
		t.Errorf("content %q", got)
	}
	m.FailRead(syscall.EIO)
	r := must[faultfs.Reader](t)(m.Open("/d/f"))
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: %v", err)
	}
}
