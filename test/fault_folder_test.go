package test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kith/journal"
)

// filled starts a server on a folder with 600 events, half of them in the Iceberg table, half in the hot tail.
func filled(t *testing.T, data string, flags ...string) (s *server, key string) {
	t.Helper()
	s = start(t, data, append(flags, "--lake-commit-interval", "1h", "--lake-commit-quiet", "1h")...)
	key = s.kith("source", "create", sourceNames[0])
	l := newLedger()
	for i := range 2 {
		l.history.Store(i == 0)
		path, body := l.body(l.take(0, 300, time.Now()), time.Now())
		if status, text, err := s.send(key, path, "application/json", body); err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v: %s", status, err, text)
		}
		s.sql("SELECT count(*) FROM clean.events")
		if i == 0 {
			s.kith("lake", "commit")
		}
	}
	return s, key
}

// TestFaultMovedFolder starts a server on its folder in another place: the answers are the same, new events come on
// top, and another engine reads the table there.
func TestFaultMovedFolder(t *testing.T) {
	slow(t)
	dir := t.TempDir()
	s, key := filled(t, filepath.Join(dir, "here"))
	snapshots := `SELECT count(*), count(DISTINCT seq), sum(hash(seq, source, message_id, ts, properties)) FROM clean.events WHERE seq <= 600`
	want := s.sql(snapshots)
	s.stop()
	there := filepath.Join(dir, "somewhere", "else")
	if err := os.MkdirAll(filepath.Dir(there), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.data, there); err != nil {
		t.Fatal(err)
	}
	s.data = there
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if got := s.sql(snapshots); got != want || !strings.HasPrefix(want, "600,600,") {
		t.Errorf("moved: got %s, want %s", got, want)
	}
	l := newLedger()
	path, body := l.body(l.take(0, 350, time.Now()), time.Now()) // 300 resends or new, as their times differ, and 50 new ones
	if status, text, err := s.send(key, path, "application/json", body); err != nil || status != http.StatusOK {
		t.Errorf("an event after the move: status %d, %v: %s", status, err, text)
	}
	s.kith("lake", "commit")
	rows := s.sql("SELECT count(*) FROM clean.events")
	for _, what := range []string{"", "rebuild"} {
		if out, err := s.try(strings.Fields("verify " + what)...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	metadata, err := filepath.Glob(filepath.Join(there, "lake/clean/events/metadata/*.metadata.json"))
	if err != nil || len(metadata) == 0 {
		t.Fatalf("no metadata: %v", err)
	}
	newest := slices.MaxFunc(metadata, func(a, b string) int { return modified(t, a).Compare(modified(t, b)) })
	text, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	if old := filepath.Join(dir, "here"); strings.Contains(string(text), old) {
		t.Errorf("%s still names %s", newest, old)
	}
	if python := os.Getenv("KITH_PYTHON"); python == "" {
		t.Log("SKIPPED: reading the moved table with PyIceberg; set KITH_PYTHON, as make test does")
	} else if out, err := exec.Command(python, "-c", "import sys\nfrom pyiceberg.table import StaticTable\nprint(StaticTable.from_metadata(sys.argv[1]).scan().to_arrow().num_rows)", newest).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != rows {
		t.Errorf("PyIceberg: %v, %s; want %s rows", err, out, rows)
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

// TestFaultTwoServers starts a second server on a folder: it is refused and told who has it, by whichever path it comes,
// and the first does not notice.
func TestFaultTwoServers(t *testing.T) {
	slow(t)
	dir := t.TempDir()
	s, key := filled(t, filepath.Join(dir, "data"))
	link := filepath.Join(dir, "link")
	if err := os.Symlink(s.data, link); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{s.data, link} {
		second := &server{t: t, data: data}
		err := second.start()
		if err == nil {
			second.kill()
		}
		if holder := fmt.Sprintf("pid %d on %s", s.cmd.Process.Pid, host); err == nil || !strings.Contains(err.Error(), holder) {
			t.Errorf("a second server on %s: %v; want a refusal that says %q", data, err, holder)
		}
	}
	if status, text, err := s.send(key, "/api/v1/events", "application/json", []byte(`{"type":"track","event":"After","messageId":"after","userId":"u"}`)); err != nil || status != http.StatusOK {
		t.Errorf("the first: status %d, %v: %s", status, err, text)
	}
	if got := s.sql("SELECT count(*) FROM clean.events"); got != "601" {
		t.Errorf("the first has %s rows, want 601", got)
	}
}

// TestFaultClockBack starts a server whose clock stands a day before what its journal has received: it refuses and names
// both times. Told that this is meant it goes on, and receipt time does not run backwards.
func TestFaultClockBack(t *testing.T) {
	slow(t)
	data := t.TempDir()
	ahead := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	log, err := journal.OpenFile(filepath.Join(data, "journal"), journal.FileOptions{Now: func() time.Time { return ahead }})
	if err != nil {
		t.Fatal(err)
	}
	line := `{"source":"web","source_id":1,"door":"events","event":{"type":"track","event":"Tomorrow","messageId":"1","userId":"u"}}` + "\n"
	if _, err := log.Append(t.Context(), 0, journal.Frame{Count: 1, Lines: []byte(line)}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, data: data}
	err = s.start()
	if err == nil {
		s.kill()
		t.Fatal("the server starts")
	}
	for _, want := range []string{ahead.Format("2006-01-02T15:04:05"), time.Now().UTC().Format("2006-01-02T15")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %s: %v", want, err)
		}
	}
	s.flags = []string{"--journal-clock-behind", "48h"}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	key := s.kith("source", "create", "web")
	if status, text, err := s.send(key, "/api/v1/events", "application/json", []byte(`{"type":"track","event":"Today","messageId":"2","userId":"u"}`)); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v: %s", status, err, text)
	}
	if got := s.sql("SELECT count(*), max(received_at) FILTER (seq = 2) >= max(received_at) FILTER (seq = 1) FROM clean.events"); got != "2,true" {
		t.Errorf("rows, and whether receipt time did not run backwards: %s, want 2,true", got)
	}
}
