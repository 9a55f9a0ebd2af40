// Package test is the black box: it starts the real binary and speaks its protocols with the clients that users have.
// The tests that take long run when KITH_BLACK_BOX is set, as make test does; without it they say so and skip.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary builds bin/kith anew if a source is newer, and returns its path. Looking at every source makes the go
// command's test cache know what the test depends on.
func binary(t testing.TB) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "kith")
	built := time.Time{}
	if info, err := os.Stat(path); err == nil {
		built = info.ModTime()
	}
	newest := time.Time{}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "test" || d.Name() == "bin" || d.Name() == "data") {
			return fs.SkipDir
		}
		if strings.HasSuffix(p, "_test.go") || d.IsDir() || !strings.HasSuffix(p, ".go") && d.Name() != "go.mod" && !strings.Contains(p, "/web/") {
			return nil
		}
		info, err := os.Stat(p)
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	if err != nil || !newest.After(built) {
		return path, err
	}
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, "./cmd/kith")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// slow skips a test that only the whole run has time for.
func slow(t testing.TB) {
	t.Helper()
	if os.Getenv("KITH_BLACK_BOX") == "" {
		t.Skip("SKIPPED: this test starts servers for a while; make test runs it (KITH_BLACK_BOX=1)")
	}
}

// server is one running kith on a folder. It is used from one test.
type server struct {
	t      testing.TB
	data   string
	flags  []string
	url    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	log    *lockedBuffer
}

// start starts a server on a folder; more starts after kill or stop use the same one.
func start(t testing.TB, data string, flags ...string) *server {
	t.Helper()
	s := &server{t: t, data: data, flags: flags}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.cmd.Process.Kill()
			<-s.exited
		}
		if t.Failed() && s.log != nil {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// start begins the process and waits until it answers.
func (s *server) start() error {
	s.log = &lockedBuffer{}
	first := &lineWriter{line: make(chan string, 1)}
	args := append([]string{"serve", "--data", s.data, "--http-listen", "127.0.0.1:0"}, s.flags...)
	s.cmd = exec.Command(binary(s.t), args...)
	s.cmd.Stdout, s.cmd.Stderr = io.MultiWriter(first, s.log), s.log
	s.cmd.Env = append(cleanEnv(), "KITH_ADMIN_EMAIL=owner@example.test", "KITH_ADMIN_PASSWORD=correct horse battery")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) { cmd.Wait(); close(exited) }(s.cmd, s.exited)
	select {
	case line := <-first.line:
		_, s.url, _ = strings.Cut(line, " at ")
		return nil
	case <-s.exited:
		return fmt.Errorf("the server ended: %s", s.log.String())
	case <-time.After(60 * time.Second):
		return fmt.Errorf("the server does not answer: %s", s.log.String())
	}
}

func cleanEnv() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KITH_") {
			env = append(env, v)
		}
	}
	return env
}

// kill is kill -9.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// stop ends the process as a supervisor does, and waits.
func (s *server) stop() {
	s.t.Helper()
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.exited:
	case <-time.After(60 * time.Second):
		s.t.Fatal("the server does not stop")
	}
}

// kith runs a command on the server's folder and returns what it prints.
func (s *server) kith(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *server) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(s.t), append(args, "--data", s.data)...)
	cmd.Env = cleanEnv()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kith %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), problems.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// sql runs a query and returns its rows as CSV without the header.
func (s *server) sql(query string) string {
	s.t.Helper()
	_, rows, _ := strings.Cut(s.kith("sql", "--format", "csv", query), "\n")
	return strings.TrimSpace(rows)
}

// send posts a body with a write key and returns status and answer.
func (s *server) send(key, path, contentType string, body []byte) (int, string, error) {
	req, err := http.NewRequest("POST", s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// status reads the counts.
func (s *server) status() (counts map[string]any) {
	s.t.Helper()
	var rows []struct{ What, Value string }
	if err := json.Unmarshal([]byte(s.kith("status", "--format", "json")), &rows); err != nil {
		s.t.Fatal(err)
	}
	counts = map[string]any{}
	for _, r := range rows {
		counts[r.What] = r.Value
	}
	return counts
}

// lineWriter hands on the first line that is written to it.
type lineWriter struct {
	mu   sync.Mutex
	text []byte
	line chan string
	done bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if line, _, whole := bytes.Cut(w.text, []byte{'\n'}); whole && !w.done {
		w.done = true
		w.line <- string(line)
	}
	return len(p), nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// dataset returns the path of a published data set, or skips: they are not part of the repository.
func dataset(t testing.TB, path string) string {
	t.Helper()
	full := filepath.Join("..", "..", "shared", "data", path)
	if _, err := os.Stat(full); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED: the data set %s is not here", full)
	}
	return full
}
