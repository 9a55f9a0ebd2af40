package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kith/app"
	"kith/internal/duck"
)

// TestMain makes this test binary also the program that queries run in.
func TestMain(m *testing.M) {
	if os.Getenv(duck.ChildVariable) != "" {
		os.Exit(duck.Main())
	}
	goleak.VerifyTestMain(m)
}

// node is a Kith that runs in this process.
type node struct {
	t     *testing.T
	dir   string
	url   string
	local *http.Client // by the folder's socket
	app   *app.App
	stop  func() error // ends it; returns what Run does
	log   *lines
}

// config is that of a server on a free port.
func config(t *testing.T, dir string, more map[string]string) app.Config {
	t.Helper()
	flags := map[string]string{"data": dir, "http.listen": "127.0.0.1:0", "journal.min_free": "0", "query.workers": "1", "query.idle": "1s"}
	for name, value := range more {
		flags[name] = value
	}
	c, _, err := app.LoadConfig("", flags)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve runs a Kith on a folder until the test ends. It does not wait long for requests when it is stopped.
func serve(t *testing.T, dir string, more map[string]string) *node {
	t.Helper()
	return serveWithGrace(t, dir, more, 200*time.Millisecond)
}

func serveWithGrace(t *testing.T, dir string, more map[string]string, grace time.Duration) *node {
	t.Helper()
	n := &node{t: t, dir: dir, log: &lines{}}
	var err error
	n.app, err = app.Open(t.Context(), config(t, dir, more), app.WithLog(slog.New(slog.NewTextHandler(n.log, nil))), app.WithGrace(grace))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.app.Run(ctx) }()
	select {
	case <-n.app.Started():
	case err := <-ended:
		t.Fatal("it does not start: ", err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return app.DialLocal(ctx, dir) }}
	n.local = &http.Client{Transport: transport}
	n.stop = sync.OnceValue(func() error {
		transport.CloseIdleConnections()
		cancel()
		return <-ended
	})
	if more["role"] != "local" {
		n.url = n.app.URL()
	}
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Log(n.log.text())
		}
	})
	return n
}

// call speaks to it by its socket, as a command does, and returns status and answer.
func (n *node) call(method, path string, in any) (int, string) {
	n.t.Helper()
	status, text, err := n.try(n.t.Context(), method, path, in)
	if err != nil {
		n.t.Fatal(err)
	}
	return status, text
}

func (n *node) try(ctx context.Context, method, path string, in any) (int, string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.local.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// want calls and fails unless the answer is a good one.
func (n *node) want(method, path string, in any) string {
	n.t.Helper()
	status, text := n.call(method, path, in)
	if status >= 300 {
		n.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

// sql returns the rows of an answer as CSV without the header.
func (n *node) sql(query string) string {
	n.t.Helper()
	_, rows, _ := strings.Cut(n.want("POST", "/api/v1/sql", map[string]string{"query": query, "format": "csv"}), "\n")
	return strings.TrimSpace(rows)
}

// source makes a source and returns its write key.
func (n *node) source(name string) string {
	n.t.Helper()
	var made struct{ Keys []struct{ Secret string } }
	if err := json.Unmarshal([]byte(n.want("POST", "/api/v1/sources", map[string]string{"name": name})), &made); err != nil {
		n.t.Fatal(err)
	}
	return made.Keys[0].Secret
}

// send posts events with a write key to the port and returns the status.
func (n *node) send(key, body string) int {
	n.t.Helper()
	req, err := http.NewRequest("POST", n.url+"/api/v1/events", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// lines is a log that a test can read.
type lines struct {
	mu    sync.Mutex
	whole strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole.String()
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
