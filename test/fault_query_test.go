package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestQueryLimits harms a server by what it is asked, while events come in and a checking reader reads: a memory bomb,
// queries without end, and processes of queries that somebody kills. Each ends with an error that says which limit it
// was, in time; nobody else notices.
func TestQueryLimits(t *testing.T) {
	slow(t)
	g := besiege(t, t.TempDir(), "--query-memory", "200MB", "--query-spill", "50MB", "--query-timeout", "20s", "--query-workers", "3",
		"--lake-flush-interval", "100ms", "--lake-commit-rows", "2000", "--lake-commit-interval", "500ms")
	r := g.begin()
	if err := r.more(3, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, query, timeout string
		code                 string
		within               time.Duration
	}{
		{"memory bomb of a list", "SELECT len(list(a.seq * b.seq)) FROM range(100000000) a(seq), range(100) b(seq)", "", "resource_exhausted", 25 * time.Second},
		{"memory bomb of a text", "SELECT length(string_agg(repeat('x', 1000000))) FROM range(100000)", "", "resource_exhausted", 25 * time.Second},
		{"memory bomb of a sort", "SELECT max(x) FROM (SELECT a.properties || b.properties AS x FROM clean.events a, clean.events b ORDER BY hash(a.seq, b.seq))", "", "resource_exhausted", 25 * time.Second},
		{"endless recursion", "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", "2s", "timed_out", 6 * time.Second},
		{"endless join", "SELECT sum(hash(a.seq, b.range, c.range)) FROM clean.events a, range(1000000) b, range(1000000) c", "2s", "timed_out", 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, answers := len(g.ledger.acked()), r.answers.Load()
			began := time.Now()
			_, err := g.ask(c.query, c.timeout)
			took := time.Since(began)
			if code := problemCode(err); code != c.code {
				t.Errorf("after %s: %v; want the code %s", took, err, c.code)
			}
			if err != nil && strings.Contains(err.Error(), "PRAGMA") {
				t.Errorf("it gives advice that nobody can follow: %v", err)
			}
			if took > c.within {
				t.Errorf("it took %s, want at most %s", took, c.within)
			}
			t.Logf("%s: %v", took.Round(time.Millisecond), err)
			if after := len(g.ledger.acked()); after-before < 200 {
				t.Errorf("only %d events were acknowledged meanwhile", after-before)
			}
			if r.answers.Load() == answers {
				if err := r.more(2, 10*time.Second); err != nil {
					t.Errorf("the reader meanwhile: %v", err)
				}
			}
		})
	}
	g.mu.Lock()
	trips := g.trips
	g.mu.Unlock()
	if trips > 0 {
		t.Errorf("%d requests of others failed meanwhile", trips)
	}
	t.Run("killed child", func(t *testing.T) { killChild(t, g) })
	g.finish(r)
}

// killChild kills every process of a query in the middle of one, which then has an error; the next has an answer.
func killChild(t *testing.T, g *siege) {
	g.excused.Store(true)
	defer g.excused.Store(false)
	failed := make(chan error, 1)
	go func() {
		_, err := g.ask("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", "15s")
		failed <- err
	}()
	began := time.Now()
	for killed := 0; ; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 500*time.Millisecond { // by then it has a process, and a while to go
			for _, pid := range children(t, g.s.cmd.Process.Pid) {
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					killed++
				}
			}
		}
		select {
		case err := <-failed:
			if killed == 0 || problemCode(err) != "unavailable" || !strings.Contains(err.Error(), "process") {
				t.Errorf("%d processes killed; the query: %v; want the code unavailable and a word of its process", killed, err)
			}
		default:
			if time.Since(began) < 15*time.Second {
				continue
			}
			t.Error("the query goes on without its process")
		}
		break
	}
	if rows, err := g.ask("SELECT count(*) > 0 FROM clean.events", ""); err != nil || len(rows) != 1 || rows[0] != "true" {
		t.Errorf("the next query: %q, %v", rows, err)
	}
}

// children are the processes that a process has started.
func children(t *testing.T, pid int) (all []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, child)
		}
	}
	return all
}

// TestQueryKeepsItsView reads an answer slowly while commits replace the files it is made of: it is whole all the same.
func TestQueryKeepsItsView(t *testing.T) {
	slow(t)
	g := besiege(t, t.TempDir(), "--query-workers", "3", "--lake-flush-interval", "50ms", "--lake-commit-rows", "400", "--lake-commit-interval", "300ms")
	r := g.begin()
	for r.answers.Load() < 4 || len(g.ledger.acked()) < 8000 {
		if err := r.more(1, 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(map[string]string{"query": "SELECT seq, repeat(properties, 20) FROM clean.events", "format": "csv"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("POST", g.s.url+"/api/v1/sql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	view := resp.Header.Get("Kith-View")
	lines := bufio.NewReader(resp.Body)
	rows := -1 // the header
	snapshots := map[string]bool{}
	for {
		if rows%500 == 0 && len(snapshots) < 6 { // go on when there is another snapshot
			snapshot := g.snapshot(t)
			for began := time.Now(); snapshots[snapshot] && time.Since(began) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
				snapshot = g.snapshot(t)
			}
			snapshots[snapshot] = true
		}
		if _, err := lines.ReadString('\n'); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("after %d rows: %v", rows, err)
		}
		rows++
	}
	if len(snapshots) < 6 {
		t.Errorf("only %d snapshots came while the answer was read", len(snapshots))
	}
	_, next, _ := strings.Cut(view, "@")
	n, err := strconv.Atoi(next)
	if err != nil {
		t.Fatalf("the view is %q", view)
	}
	want, err := g.ask(fmt.Sprintf("SELECT count(*) FROM clean.events AS OF SEQ %d", n-1), "")
	if err != nil || len(want) != 1 || want[0] != strconv.Itoa(rows) {
		t.Errorf("the answer had %d rows, its view %s has %v (%v)", rows, view, want, err)
	}
	g.finish(r)
}

// snapshot is the Iceberg snapshot that a new query reads.
func (g *siege) snapshot(t *testing.T) string {
	t.Helper()
	snapshot, _, _ := strings.Cut(g.s.status()["view"].(string), "@")
	return snapshot
}

// ask runs a query with a time limit, "" for the server's, as the reader does.
func (g *siege) ask(query, timeout string) ([]string, error) {
	request := map[string]string{"query": query, "format": "csv"}
	if timeout != "" {
		request["timeout"] = timeout
	}
	return g.run(g.t.Context(), g.s.url, request)
}

// problemCode is the code of an error answer.
func problemCode(err error) string {
	var answer *answerError
	var problem struct{ Code string }
	if !errors.As(err, &answer) || json.Unmarshal([]byte(answer.text), &problem) != nil {
		return ""
	}
	return problem.Code
}
