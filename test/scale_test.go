package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scaled skips a test that only make scale has time for, and returns n by the factor in KITH_SCALE: 1 is what is
// claimed, 0.1 a tenth of it.
func scaled(t *testing.T, n int) int {
	t.Helper()
	text := os.Getenv("KITH_SCALE")
	if text == "" {
		t.Skip("SKIPPED: this test sends millions of events; make scale runs it (KITH_SCALE=1)")
	}
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || factor <= 0 {
		t.Fatalf("KITH_SCALE=%s is no factor", text)
	}
	return int(float64(n) * factor)
}

// crowd sends events from four connections in batches of 500 and returns how many and how long that took. event appends
// the i-th event.
func crowd(t *testing.T, s *server, key string, n int, event func(l *load, dst []byte, i int) []byte) time.Duration {
	t.Helper()
	const clients, size = 4, 500
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	var failed atomic.Value
	began := time.Now()
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			l := newLoad(int(time.Now().UnixNano()%1_000_000)*clients + i)
			var body []byte
			for failed.Load() == nil {
				from := int(next.Add(size)) - size
				if from >= n {
					return
				}
				body = append(body[:0], '[')
				for k := from; k < min(from+size, n); k++ {
					if k > from {
						body = append(body, ',')
					}
					body = event(l, body, k)
				}
				if _, err := post(client, s.url+"/api/v1/events", key, append(body, ']')); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func (s *server) count(query string) int {
	s.t.Helper()
	n, err := strconv.Atoi(s.sql(query))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// highest samples something until it is told to stop, and returns the highest value.
func highest(sample func() int) (stop func() int) {
	done, result := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			most = max(most, sample())
			select {
			case <-done:
				result <- most
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() int { close(done); return <-result }
}

// openFiles counts the descriptors of a process.
func openFiles(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) // it may have ended
	return len(all)
}

const fiveYears = 5 * 365 * 24 * time.Hour

// TestScaleShuffled sends 2 M events in no order of time. Each has a time of its own in the last five years, so that
// every part that works by the hour or the day meets all of them at once.
func TestScaleShuffled(t *testing.T) {
	n := scaled(t, 2_000_000)
	s := start(t, t.TempDir())
	pid := s.cmd.Process.Pid
	key := s.kith("source", "create", "history")
	now := time.Now()
	timeOf := func(i int) time.Time {
		return now.Add(-time.Duration(rand.New(rand.NewPCG(uint64(i), 5)).Int64N(int64(fiveYears))))
	}
	const kept = 1000
	again := make([][]byte, kept)
	var mu sync.Mutex
	files := highest(func() int { return openFiles(pid) })
	before := usage(t, pid)
	began := time.Now()
	sent := crowd(t, s, key, n, func(l *load, dst []byte, i int) []byte {
		from := len(dst)
		dst = l.event(dst, timeOf(i))
		if stride := max(n/kept, 1); i%stride == 0 && i/stride < kept {
			mu.Lock()
			again[i/stride] = append([]byte(nil), dst[from:]...)
			mu.Unlock()
		}
		return dst
	})
	rows := s.count("SELECT count(*) FROM clean.events")
	visible := time.Since(began)
	after := usage(t, pid)
	most := files()
	if rows != n {
		t.Fatalf("%d rows of %d events", rows, n)
	}
	if ids := s.count("SELECT count(DISTINCT message_id) FROM clean.events"); ids != n {
		t.Fatalf("%d message ids of %d", ids, n)
	}
	t.Logf("%d events shuffled over 5 years: at the doors %.0f k ev/s, until visible %.0f k ev/s (aim 30 k); %.1f µs CPU an event in the server",
		n, float64(n)/sent.Seconds()/1e3, float64(n)/visible.Seconds()/1e3, (after.cpu-before.cpu)*1e6/float64(n))
	t.Logf("peak RSS %d MB (aim 1,000 MB), at most %d open files", after.peak>>20, most)
	if most > 500 {
		t.Errorf("%d files were open at once", most)
	}
	body := []byte{'['}
	for i, event := range again {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, event...)
	}
	if _, err := post(http.DefaultClient, s.url+"/api/v1/events", key, append(body, ']')); err != nil {
		t.Fatal(err)
	}
	if rows := s.count("SELECT count(*) FROM clean.events"); rows != n {
		t.Errorf("after a resend of %d events there are %d rows of %d", kept, rows, n)
	}
	if got := s.status()["duplicates since the start"]; got != strconv.Itoa(kept) {
		t.Errorf("%v duplicates of %d", got, kept)
	}
	s.kith("lake", "commit")
	if rows := s.count("SELECT count(*) FROM clean.events"); rows != n {
		t.Errorf("after a commit there are %d rows of %d", rows, n)
	}
	restart := time.Now()
	s.stop()
	t.Logf("stop: %s", time.Since(restart).Round(time.Millisecond))
	restart = time.Now()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Logf("start: %s", time.Since(restart).Round(time.Millisecond))
	if rows := s.count("SELECT count(*) FROM clean.events"); rows != n {
		t.Errorf("after a restart there are %d rows of %d", rows, n)
	}
}

// TestScaleNames sends a million events of which each has a name of its own, after a million that have few.
func TestScaleNames(t *testing.T) {
	n := scaled(t, 1_000_000)
	s := start(t, t.TempDir())
	pid := s.cmd.Process.Pid
	key := s.kith("source", "create", "names")
	round := func(prefix string, names int) int64 {
		t.Helper()
		crowd(t, s, key, n, func(_ *load, dst []byte, i int) []byte {
			return fmt.Appendf(dst, `{"type":"track","event":"%s %d","messageId":"%s-%d","userId":"u-%d","properties":{"price":1.5,"currency":"EUR"}}`,
				prefix, i%names, prefix, i, i%1000)
		})
		s.kith("lake", "commit")
		time.Sleep(5 * time.Second) // what is measured is memory that stays
		rss := usage(t, pid).rss
		t.Logf("%-9s %d events, %d names: RSS %d MB", prefix, n, names, rss>>20)
		return rss
	}
	few := round("Warm-up", 10)
	few = max(few, round("Few", 10))
	first := round("First", n)
	second := round("Second", n)
	t.Logf("a million names change RSS by %+d MB, a second million by %+d MB (aim 100 MB at most)", (first-few)>>20, (second-first)>>20)
	if got := s.count("SELECT count(DISTINCT event) FROM clean.events"); got != 2*n+20 {
		t.Errorf("%d names of %d", got, 2*n+20)
	}
}

// TestScaleFirstHour sends an event, then others for years of event time with restarts between, and the first again.
func TestScaleFirstHour(t *testing.T) {
	scaled(t, 1)
	s := start(t, t.TempDir())
	key := s.kith("source", "create", "web")
	event := func(id string, at time.Time) string {
		return fmt.Sprintf(`{"type":"track","event":"Seen","messageId":%q,"userId":"ana","timestamp":%q}`, id, at.UTC().Format(time.RFC3339))
	}
	send := func(body string) {
		t.Helper()
		if status, text, err := s.send(key, "/api/v1/events", "application/json", []byte(body)); err != nil || status != 200 {
			t.Fatal(status, text, err)
		}
	}
	first := time.Now().Add(-fiveYears)
	send(event("first", first))
	rows := 1
	for year := range 5 {
		var all []string
		for hour := range 365 * 4 {
			all = append(all, event(fmt.Sprintf("%d-%d", year, hour), first.Add(time.Duration(year*365*24+hour*6)*time.Hour)))
		}
		send("[" + strings.Join(all, ",") + "]")
		rows += len(all)
		s.stop()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		send(event("first", first))
		if got := s.count("SELECT count(*) FROM clean.events"); got != rows {
			t.Fatalf("year %d: %d rows of %d", year+1, got, rows)
		}
		if got := s.status()["duplicates since the start"]; got != "1" {
			t.Errorf("year %d: %v duplicates", year+1, got)
		}
	}
	t.Logf("the event of the first hour was refused after each of 5 years and restarts")
}

// TestScaleTrickle sends ten events a second for three minutes while somebody reads once a second, and then lets the server
// sleep.
func TestScaleTrickle(t *testing.T) {
	seconds := scaled(t, 180)
	s := start(t, t.TempDir())
	pid := s.cmd.Process.Pid
	key, token := s.kith("source", "create", "web"), s.kith("token", "create", "reader", "--role", "analyst")
	l := newLoad(1)
	before, began := usage(t, pid), time.Now()
	files := highest(func() int { return openFiles(pid) })
	sent, late, stale := 0, 0, 0
	for ; time.Since(began) < time.Duration(seconds)*time.Second; sent++ {
		time.Sleep(time.Until(began.Add(time.Duration(sent) * 100 * time.Millisecond)))
		if _, err := post(http.DefaultClient, s.url+"/api/v1/events", key, l.event(nil, time.Now())); err != nil {
			t.Fatal(err)
		}
		if sent%10 != 9 {
			continue
		}
		asked := time.Now()
		if got := ask(t, s.url, token, "SELECT count(*) FROM clean.events"); got != sent+1 {
			stale++
		}
		if time.Since(asked) > time.Second {
			late++
		}
	}
	took, after := time.Since(began), usage(t, pid)
	hot, most := countFiles(filepath.Join(s.data, "lake", "hot")), files()
	snapshots := countFiles(filepath.Join(s.data, "lake", "clean", "events", "metadata"), "snap-*.avro")
	t.Logf("%d events in %s, read once a second: %.1f %% of a core in the server, %.1f wake-ups a second, RSS %d MB, %d snapshots, %d hot files, at most %d open files; %d of the reads took over 1 s",
		sent, took.Round(time.Second), (after.cpu-before.cpu)/took.Seconds()*100, float64(after.switches-before.switches)/took.Seconds(),
		after.rss>>20, snapshots, hot, most, late)
	t.Logf("that is %.0f snapshots a day (aim 150 at most)", float64(snapshots)/took.Hours()*24)
	if stale > 0 {
		t.Errorf("%d reads did not see what was acknowledged before them", stale)
	}
	if got := s.count("SELECT count(*) FROM clean.events"); got != sent {
		t.Errorf("%d rows of %d", got, sent)
	}
	time.Sleep(75 * time.Second) // until nobody counts as reading and the query process has ended
	before, began = usage(t, pid), time.Now()
	time.Sleep(15 * time.Second)
	after, took = usage(t, pid), time.Since(began)
	t.Logf("idle after it: %.2f %% of a core (aim 0.5 %%), %.1f wake-ups a second (aim 20), RSS %d MB (aim 120 MB)",
		(after.cpu-before.cpu)/took.Seconds()*100, float64(after.switches-before.switches)/took.Seconds(), after.rss>>20)
}

// ask runs a query over HTTP whose answer is one number.
func ask(t *testing.T, url, token, query string) int {
	t.Helper()
	req, err := http.NewRequest("POST", url+"/api/v1/sql", strings.NewReader(fmt.Sprintf(`{"query":%q,"format":"csv"}`, query)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var head string
	var n int
	if _, err := fmt.Fscanln(resp.Body, &head); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp.Status, head, err)
	}
	if _, err := fmt.Fscanln(resp.Body, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// countFiles counts the files of a folder, those of a pattern if there is one.
func countFiles(dir string, pattern ...string) int {
	all, _ := filepath.Glob(filepath.Join(dir, append(pattern, "*")[0])) // the pattern is a good one
	return len(all)
}
