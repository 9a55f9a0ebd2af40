package test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaultFlippedBit flips one bit in each type of file. Whatever then starts must not say anything wrong: the start,
// a query or kith verify names the file, what does not need it goes on, and with the bit flipped back all is well.
func TestFaultFlippedBit(t *testing.T) {
	slow(t)
	f := newFlips(t)
	for _, c := range flipCases() {
		t.Run(c.name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(f.base, c.pattern))
			if err != nil || len(files) == 0 {
				out, _ := command("find", f.base)
				t.Fatalf("there is no file %s in the folder: %v\n%s", c.pattern, err, out)
			}
			file, err := filepath.Rel(f.base, c.pick(t, files))
			if err != nil {
				t.Fatal(err)
			}
			for range number("KITH_FLIPS", 1) {
				f.flip(t, c, file)
			}
		})
	}
}

// flipCase is a type of file.
type flipCase struct {
	name, pattern string
	first         bool // of the files, not the newest
	// Not every bit of it counts, and it has no checksum of its own: a flip may change nothing.
	harmless bool
	clean    bool // clean.events can be read although it is damaged
	raw      bool // raw.events can be
}

// pick returns the first file or the newest.
func (c flipCase) pick(t *testing.T, files []string) string {
	t.Helper()
	if c.first {
		return files[0]
	}
	return slices.MaxFunc(files, func(a, b string) int { return modified(t, a).Compare(modified(t, b)) })
}

func flipCases() []flipCase {
	const metadata = "lake/clean/events/metadata/"
	return []flipCase{
		{name: "sealed segment", pattern: "journal/0/*.jsonl.zst", first: true, clean: true},
		{name: "open segment", pattern: "journal/0/*.jsonl.zst"},
		{name: "data file", pattern: "lake/clean/events/data/*/*.parquet", raw: true},
		{name: "hot file", pattern: "lake/hot/*.parquet", raw: true},
		{name: "table metadata", pattern: metadata + "*.metadata.json", harmless: true},
		{name: "manifest list", pattern: metadata + "snap-*.avro", harmless: true},
		{name: "manifest", pattern: metadata + "[0-9a-f]*.avro", harmless: true},
		{name: "lake.db", pattern: "lake/lake.db", harmless: true},
		{name: "control.db", pattern: "control.db", harmless: true},
		{name: "facts.log", pattern: "identity/facts.log"},
		{name: "dedupe log", pattern: "dedupe/*.log"},
		{name: "dedupe key", pattern: "dedupe/key"},
		{name: "VERSION", pattern: "VERSION", harmless: true},
	}
}

// flips is a data folder that holds a file of every type, and what it answers.
type flips struct {
	base, data string // base is never opened
	rng        *rand.Rand
	key        string
	clean, raw string // digests of all rows
}

const (
	cleanRows = "SELECT * FROM clean.events WHERE seq <= 900 ORDER BY seq"
	rawRows   = "SELECT * FROM raw.events WHERE seq <= 900 ORDER BY seq"
)

func newFlips(t *testing.T) *flips {
	t.Helper()
	dir := t.TempDir()
	f := &flips{base: filepath.Join(dir, "base"), data: filepath.Join(dir, "data"), rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))}
	s := start(t, f.data, f.flags()...)
	f.key = s.kith("source", "create", sourceNames[0])
	l := newLedger()
	for i := range 3 {
		l.history.Store(i == 1)
		for range 10 {
			path, body := l.body(l.take(0, 30, time.Now()), time.Now())
			if status, text, err := s.send(f.key, path, "application/json", body); err != nil || status != http.StatusOK {
				t.Fatalf("status %d, %v: %s", status, err, text)
			}
		}
		if got := s.sql("SELECT count(*) FROM clean.events"); got != fmt.Sprint((i+1)*300) {
			t.Fatalf("got %s rows", got)
		}
		if i < 2 {
			s.kith("lake", "commit")
		}
	}
	f.clean, f.raw = digest(s.sql(cleanRows)), digest(s.sql(rawRows))
	s.stop()
	if err := errors.Join(os.RemoveAll(filepath.Join(f.data, "kith.sock")), os.Rename(f.data, f.base)); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flips) flags() []string {
	return []string{"--journal-segment-size", "24KB", "--lake-commit-interval", "1h", "--lake-commit-quiet", "1h"}
}

func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// flip flips a bit of a file in a fresh copy of the folder.
func (f *flips) flip(t *testing.T, c flipCase, file string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(f.data), os.CopyFS(f.data, os.DirFS(f.base))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.data, file)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	at, bit := f.rng.Int64N(info.Size()), byte(1)<<f.rng.IntN(8)
	if c.name == "open segment" && at > info.Size()/2 {
		at -= info.Size() / 2 // a damaged last append cannot be told from a torn one
	}
	flipBit(t, path, at, bit)
	where := fmt.Sprintf("%s, byte %d, bit %08b", file, at, bit)
	s := &server{t: t, data: f.data, flags: f.flags()}
	defer s.kill()
	found, err := f.look(t, s, c, filepath.Base(file), where)
	if err != nil {
		t.Errorf("%s: %v", where, err)
	}
	if len(found) == 0 && !c.harmless {
		t.Errorf("%s: nobody noticed", where)
	}
	t.Logf("%s: %s", where, strings.Join(found, "; "))
	flipBit(t, path, at, bit)
	if err := s.start(); err != nil {
		t.Errorf("%s, flipped back: %v", where, err)
		return
	}
	if clean, raw := digest(s.sql(cleanRows)), digest(s.sql(rawRows)); clean != f.clean || raw != f.raw {
		t.Errorf("%s, flipped back: the answers are others: clean.events as before: %t, raw.events: %t", where, clean == f.clean, raw == f.raw)
	}
	if out, err := s.try("verify"); err != nil {
		t.Errorf("%s, flipped back: %v %s", where, err, out)
	}
}

// look starts a server on the damaged folder and says what named the file. An error is what must not happen.
func (f *flips) look(t *testing.T, s *server, c flipCase, name, where string) (found []string, err error) {
	t.Helper()
	if err := s.start(); err != nil {
		// Without a checksum it may be what the damage points to that is missing: that file is named.
		if !strings.Contains(err.Error(), name) && !(c.harmless && strings.Contains(err.Error(), f.data+"/")) {
			return nil, fmt.Errorf("the start fails and does not name the file: %w", err)
		}
		return []string{"start refused: " + short(err)}, nil
	}
	defer s.kill()
	differs := false
	for _, q := range []struct {
		sql, want string
		goesOn    bool
	}{{cleanRows, f.clean, c.clean}, {rawRows, f.raw, c.raw}} {
		out, failed := s.try("sql", "--format", "csv", q.sql)
		_, rows, _ := strings.Cut(out, "\n")
		switch {
		case failed != nil && q.goesOn:
			err = errors.Join(err, fmt.Errorf("%s does not need the file and fails: %w", q.sql, failed))
		case failed != nil && strings.Contains(failed.Error(), name):
			found = append(found, "query: "+short(failed))
		case failed != nil:
			err = errors.Join(err, fmt.Errorf("%s fails and does not name the file: %w", q.sql, failed))
		case digest(strings.TrimSpace(rows)) != q.want:
			differs = true
		}
	}
	if out, failed := s.try("verify"); failed != nil && strings.Contains(failed.Error()+out, name) {
		found = append(found, "verify: "+short(failed))
	} else if failed != nil && c.harmless {
		found = append(found, "verify, by another file: "+short(failed))
	} else if failed != nil {
		err = errors.Join(err, fmt.Errorf("kith verify fails and does not name the file: %w", failed))
	}
	if differs && len(found) == 0 {
		err = errors.Join(err, errors.New("an answer is another one, and nobody noticed"))
	}
	status, text, sent := s.send(f.key, "/api/v1/events", "application/json", []byte(`{"type":"track","event":"After","messageId":"after","userId":"u"}`))
	if (sent != nil || status != http.StatusOK) && c.name != "control.db" {
		err = errors.Join(err, fmt.Errorf("an event is not accepted: status %d, %v: %s", status, sent, text))
	}
	return found, err
}

func short(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[:min(len(text), 300)]
}

func flipBit(t *testing.T, path string, at int64, bit byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is gone", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}
