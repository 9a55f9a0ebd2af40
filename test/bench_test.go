package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBenchPath prints the figures of the whole path beside its anchors, in one run: a no-op net/http handler that
// decodes with encoding/json, and the same bytes appended to one file with an fsync each. make bench runs it.
//
// KITH_BENCH_TIME is the length of the sustained run (3m), KITH_BENCH_RATE its rate in events a second (0 is as fast
// as it goes).
func TestBenchPath(t *testing.T) {
	if os.Getenv("KITH_BENCH") == "" {
		t.Skip("SKIPPED: a benchmark; make bench runs it (KITH_BENCH=1)")
	}
	duration := 3 * time.Minute
	if text := os.Getenv("KITH_BENCH_TIME"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		duration = d
	}
	rate, _ := strconv.Atoi(os.Getenv("KITH_BENCH_RATE"))
	t.Run("collect", benchCollect)
	t.Run("path", func(t *testing.T) { benchPath(t, duration, rate) })
}

// benchCollect compares the native door, in a process that only collects, with the two anchors: batches of 100, and
// singles from 256 connections.
func benchCollect(t *testing.T) {
	s := start(t, t.TempDir(), "--role", "collector")
	key := s.kith("source", "create", "bench")
	noop := httptestNoop(t)
	for _, c := range []struct {
		name    string
		size    int
		clients int
	}{{"batches of 100", 100, 16}, {"singles, 256 connections", 1, 256}} {
		ours := hammer(t, s.url+"/api/v1/events", key, c.size, c.clients, 5*time.Second)
		theirs := hammer(t, noop+"/", key, c.size, c.clients, 5*time.Second)
		disk := appendFsync(t, c.size, 5*time.Second)
		t.Logf("%-26s %8.0f ev/s durable, p50 %s p99 %s | no-op handler with encoding/json %8.0f ev/s (ratio %.2f) | append+fsync %8.0f ev/s (ratio %.2f)",
			c.name, ours.rate, ours.p50, ours.p99, theirs.rate, ours.rate/theirs.rate, disk, ours.rate/disk)
	}
}

// httptestNoop serves the anchor: it decodes the body with encoding/json, drops it and answers 200.
func httptestNoop(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var events []map[string]any
		if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"accepted":%d}`, len(events))
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// appendFsync appends bodies of the same size to one file, with an fsync for each.
func appendFsync(t *testing.T, size int, d time.Duration) float64 {
	file, err := os.Create(t.TempDir() + "/anchor")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l := newLoad(99)
	body, _ := l.batch(nil, size, time.Now())
	events := 0
	began := time.Now()
	for time.Since(began) < d {
		if _, err := file.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
		events += size
	}
	return float64(events) / time.Since(began).Seconds()
}

type measured struct {
	rate     float64
	p50, p99 time.Duration
}

// hammer sends batches from many connections for a while. The bodies are made before the clock starts.
func hammer(t *testing.T, url, key string, size, clients int, d time.Duration) measured {
	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var events atomic.Int64
	var failed atomic.Value
	times := make([][]time.Duration, clients)
	bodies := make([][][]byte, clients)
	for i := range bodies {
		l := newLoad(1000 + i)
		for range 16 {
			body, _ := l.batch(nil, size, time.Now())
			bodies[i] = append(bodies[i], body)
		}
	}
	began := time.Now()
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for n := 0; time.Since(began) < d; n++ {
				sent := time.Now()
				if _, err := post(client, url, key, bodies[i][n%16]); err != nil {
					failed.Store(err)
					return
				}
				times[i] = append(times[i], time.Since(sent))
				events.Add(int64(size))
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return measured{float64(events.Load()) / time.Since(began).Seconds(), all[len(all)/2], all[len(all)*99/100]}
}

// post sends one body and returns the seq after its last event, 0 where the answer has none.
func post(client *http.Client, url, key string, body []byte) (next int64, err error) {
	req, err := http.NewRequest("POST", url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != 200 {
		return 0, fmt.Errorf("%s: %s", resp.Status, text)
	}
	if _, after, ok := bytes.Cut(text, []byte(`"next":`)); ok {
		_, err = fmt.Sscanf(string(after), "%d", &next)
	}
	return next, err
}

// benchPath runs the whole path for a while and checks that nothing is missing at the end: rows = acknowledged −
// resends, else the run is void. A reader asks for the newest row all the time, which makes freshness.
func benchPath(t *testing.T, duration time.Duration, rate int) {
	s := start(t, t.TempDir())
	key := s.kith("source", "create", "bench")
	idle := usage(t, s.cmd.Process.Pid)
	time.Sleep(10 * time.Second)
	now := usage(t, s.cmd.Process.Pid)
	t.Logf("idle: RSS %d MB, %.2f %% CPU, %.1f wake-ups a second", now.rss>>20, (now.cpu-idle.cpu)*10, float64(now.switches-idle.switches)/10)

	stop := make(chan struct{})
	seen := &watch{s: s, token: s.kith("token", "create", "bench", "--role", "viewer")}
	watched := make(chan struct{})
	go func() { defer close(watched); seen.run(stop) }()
	before := usage(t, s.cmd.Process.Pid)
	began := time.Now()
	acknowledged, resends := sustain(t, s, key, duration, rate, seen)
	took := time.Since(began)
	close(stop)
	<-watched
	lags := seen.lags
	rows, err := strconv.ParseInt(s.sql("SELECT count(*) FROM clean.events"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	drained := time.Since(began)
	after := usage(t, s.cmd.Process.Pid)
	if rows != acknowledged-resends {
		t.Fatalf("VOID: %d rows, %d acknowledged − %d resends = %d", rows, acknowledged, resends, acknowledged-resends)
	}
	s.kith("lake", "commit")
	raw, clean := sizeOf(t, s.data+"/journal"), sizeOf(t, s.data+"/lake/clean/events/data")
	slices.Sort(lags)
	t.Logf("path: %d events in %s, %.0f ev/s at the doors; all visible %s after the last; %.1f µs CPU an event in the server; peak RSS %d MB",
		acknowledged, took.Round(time.Millisecond), float64(acknowledged)/took.Seconds(), (drained - took).Round(time.Millisecond),
		(after.cpu-before.cpu)*1e6/float64(acknowledged), after.peak>>20)
	if len(lags) > 0 {
		t.Logf("freshness, from received to visible to a query: p50 %s p99 %s max %s (%d batches)", lags[len(lags)/2], lags[len(lags)*99/100], lags[len(lags)-1], len(lags))
	}
	t.Logf("bytes an event: raw %.1f, clean %.1f", float64(raw)/float64(acknowledged), float64(clean)/float64(rows))
	s.stop()
	restart := time.Now()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Logf("start with this folder: %s", time.Since(restart).Round(time.Millisecond))
}

// sustain sends batches of 100 from four connections, at a rate or as fast as it goes, and prints the lag each second.
func sustain(t *testing.T, s *server, key string, d time.Duration, rate int, seen *watch) (acknowledged, resends int64) {
	var sent, again atomic.Int64
	var failed atomic.Value
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	began := time.Now()
	var running sync.WaitGroup
	const clients = 4
	for i := range clients {
		running.Go(func() {
			l := newLoad(i)
			var body []byte
			for time.Since(began) < d {
				if ahead := float64(sent.Load())/float64(max(rate, 1)) - time.Since(began).Seconds(); rate > 0 && ahead > 0 {
					time.Sleep(time.Duration(ahead * float64(time.Second)))
				}
				var resent int
				body, resent = l.batch(body[:0], 100, time.Now())
				next, err := post(client, s.url+"/api/v1/events", key, body)
				if err != nil {
					failed.Store(err)
					return
				}
				seen.note(next, time.Now())
				sent.Add(100)
				again.Add(int64(resent))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for last := int64(0); time.Since(began) < d; {
			time.Sleep(time.Second)
			counts := s.status()
			now := sent.Load()
			t.Logf("%3.0f s  %7d ev/s  lag %v  hot files %v", time.Since(began).Seconds(), now-last, counts["not visible yet"], counts["hot files"])
			last = now
		}
	}()
	running.Wait()
	<-done
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
	return sent.Load(), again.Load()
}

// watch notes when acknowledged events can be seen by a query: it polls what the published view reaches up to, ten
// times a second, and asks a question now and then, so that the server knows that somebody reads.
type watch struct {
	s     *server
	token string

	mu    sync.Mutex
	acked []ack // not seen yet, by time
	lags  []time.Duration
}

type ack struct {
	at   time.Time
	next int64
}

func (w *watch) note(next int64, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, ack{at, next})
}

func (w *watch) run(stop <-chan struct{}) {
	asked := time.Time{}
	for {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		if time.Since(asked) > 10*time.Second {
			asked = time.Now()
			go w.s.try("sql", "SELECT max(seq) FROM clean.events")
		}
		var status struct{ Next int64 }
		if err := getJSON(w.s.url+"/api/v1/status", w.token, &status); err == nil {
			w.seen(status.Next, time.Now())
		}
	}
}

func (w *watch) seen(next int64, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = slices.DeleteFunc(w.acked, func(a ack) bool {
		if a.next <= next {
			w.lags = append(w.lags, now.Sub(a.at))
		}
		return a.next <= next
	})
}

func getJSON(url, token string, into any) error {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

type used struct {
	rss, peak int64 // bytes
	cpu       float64
	switches  int64
}

// usage reads what a process and all its threads have used.
func usage(t *testing.T, pid int) (u used) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kB int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d", &kB); n == 1 {
			u.rss = kB << 10
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %d", &kB); n == 1 {
			u.peak = kB << 10
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	u.cpu = (user + system) / 100
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			var n int64
			if k, _ := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); k == 1 {
				u.switches += n
			}
		}
	}
	return u
}

func sizeOf(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := walkFiles(dir, func(_ string, size int64) { total += size })
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func walkFiles(dir string, fn func(path string, size int64)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fn(path, info.Size())
		}
		return err
	})
}
