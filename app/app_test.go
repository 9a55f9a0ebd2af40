package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kith/app"
	"kith/event"
)

func TestTwoInOneProcessShareNothing(t *testing.T) {
	a, b := serve(t, t.TempDir(), nil), serve(t, t.TempDir(), nil)
	key := a.source("web")
	if status := a.send(key, `[{"type":"track","event":"A","messageId":"1"},{"type":"track","event":"B","messageId":"2"}]`); status != 200 {
		t.Fatal(status)
	}
	if status := b.send(key, `{"type":"track","event":"A","messageId":"1"}`); status != 401 {
		t.Errorf("the key of the one opens the other: %d", status)
	}
	other := b.source("web")
	if status := b.send(other, `{"type":"track","event":"C","messageId":"1"}`); status != 200 {
		t.Fatal(status)
	}
	if got := a.sql("SELECT event FROM clean.events ORDER BY seq"); got != "A\nB" {
		t.Errorf("the one has %q", got)
	}
	if got := b.sql("SELECT event FROM clean.events ORDER BY seq"); got != "C" {
		t.Errorf("the other has %q", got)
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	if got := b.sql("SELECT count(*) FROM clean.events"); got != "1" {
		t.Errorf("after the one has ended the other has %q", got)
	}
}

func TestAFolderIsOpenedByOne(t *testing.T) {
	n := serve(t, t.TempDir(), nil)
	_, err := app.Open(t.Context(), config(t, n.dir, nil))
	if event.CodeOf(err) != event.Conflict || !strings.Contains(err.Error(), fmt.Sprintf("pid %d on ", os.Getpid())) || !strings.Contains(err.Error(), n.dir) {
		t.Errorf("a second: %v", err)
	}
	n.source("still-there")
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	if got := serve(t, n.dir, nil).want("GET", "/api/v1/sources", nil); !strings.Contains(got, "still-there") {
		t.Error(got)
	}
}

func TestTheFoldersVersion(t *testing.T) {
	for text, want := range map[string]struct {
		code event.Code
		says []string
	}{
		"2\n":   {event.Unavailable, []string{"version 2", "knows 1"}},
		"999":   {event.Unavailable, []string{"version 999", "knows 1"}},
		"new\n": {event.Corrupt, []string{"VERSION"}},
		"0\n":   {event.Corrupt, []string{"VERSION"}},
		"":      {event.Corrupt, []string{"VERSION"}},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "VERSION"), text)
		_, err := app.Open(t.Context(), config(t, dir, nil))
		if event.CodeOf(err) != want.code {
			t.Errorf("%q: %v", text, err)
		}
		for _, part := range want.says {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v does not say %q", text, err, part)
			}
		}
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range left {
			if file.Name() != "VERSION" && file.Name() != "LOCK" {
				t.Errorf("%q: a folder that is refused got %s", text, file.Name())
			}
		}
	}
}

func TestWhatDoesNotOpenLeavesNothingOpen(t *testing.T) {
	for name, spoil := range map[string]func(dir string){
		"a control.db that is none":  func(dir string) { write(t, filepath.Join(dir, "control.db"), strings.Repeat("no database ", 999)) },
		"a journal that is a file":   func(dir string) { write(t, filepath.Join(dir, "journal"), "") },
		"a lake that is a file":      func(dir string) { write(t, filepath.Join(dir, "lake"), "") },
		"an identity that is a file": func(dir string) { write(t, filepath.Join(dir, "identity"), "") },
		"a dedupe that is a file":    func(dir string) { write(t, filepath.Join(dir, "dedupe"), "") },
		"a tmp that is a file":       func(dir string) { write(t, filepath.Join(dir, "tmp"), "") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			spoil(dir)
			if _, err := app.Open(t.Context(), config(t, dir, nil)); err == nil {
				t.Fatal("it opens")
			}
			folder, err := app.OpenFolder(dir, "local") // the lock is free again
			if err != nil {
				t.Fatal(err)
			}
			folder.Close()
		})
	}
	for setting, value := range map[string]string{"prepare.earliest": "yesterday", "http.proxies": "everywhere"} {
		_, err := app.Open(t.Context(), config(t, t.TempDir(), map[string]string{setting: value}))
		if event.CodeOf(err) != event.Invalid || !strings.Contains(err.Error(), setting) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v", setting, value, err)
		}
	}
}

func TestAnAddressBeyondThisMachineWantsTLS(t *testing.T) {
	a, err := app.Open(t.Context(), config(t, t.TempDir(), map[string]string{"http.listen": "0.0.0.0:0"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "0.0.0.0:0") {
		t.Errorf("%v", err)
	}
}

func TestTheSocketNeedsNoCredentialAndThePortDoes(t *testing.T) {
	dir := t.TempDir()
	n := serve(t, dir, nil)
	info, err := os.Stat(filepath.Join(dir, "kith.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info.Mode(), err)
	}
	for _, c := range []struct {
		method, path string
		in           any
	}{
		{"GET", "/api/v1/status", nil},
		{"GET", "/api/v1/sources", nil},
		{"POST", "/api/v1/sources", map[string]string{"name": "web"}},
		{"POST", "/api/v1/tokens", map[string]string{"name": "t", "role": "viewer"}},
		{"POST", "/api/v1/sql", map[string]string{"query": "SELECT 1"}},
		{"POST", "/api/v1/verify", struct{}{}},
		{"POST", "/api/v1/lake/commit", struct{}{}},
		{"GET", "/metrics", nil},
	} {
		text, err := json.Marshal(c.in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(c.method, n.url+c.path, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s %s by the port: %d", c.method, c.path, resp.StatusCode)
		}
		n.want(c.method, c.path, c.in)
	}
}

// TestWhoCameIsServed connects, has the process told to stop, and only then asks: as it is when one command finds the
// folder open in another command's process, which ends.
func TestWhoCameIsServed(t *testing.T) {
	n := serveWithGrace(t, t.TempDir(), map[string]string{"role": "local"}, patience)
	var early []net.Conn
	for range 5 {
		conn, err := app.DialLocal(t.Context(), n.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		early = append(early, conn)
	}
	ended := make(chan error, 1)
	go func() { ended <- n.stop() }()
	until(t, "an end of letting in", func() bool {
		conn, err := app.DialLocal(t.Context(), n.dir)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	for _, conn := range early {
		if _, err := io.WriteString(conn, "GET /api/v1/sources HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal("who came early: ", err)
		}
		if resp.Body.Close(); resp.StatusCode != 200 || !resp.Close {
			t.Errorf("who came early: %s, to be closed: %v", resp.Status, resp.Close)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(n.dir, "kith.sock*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestALongPath puts the folder where its socket's path is longer than the kernel takes.
func TestALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30), "data")
	n := serve(t, dir, nil)
	n.source("web")
}

// TestTheLocalRole is what a command runs in its own process when no server has the folder open.
func TestTheLocalRole(t *testing.T) {
	dir := t.TempDir()
	n := serve(t, dir, map[string]string{"role": "local"})
	n.source("web")
	body := map[string]any{"type": "track", "event": "Seen", "messageId": "1"}
	n.want("POST", "/api/v1/events?source=web", body)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	again := serve(t, dir, map[string]string{"role": "local"}) // over the socket that the first one left
	again.want("POST", "/api/v1/events?source=web", body)
	if got := again.sql("SELECT count(*) FROM clean.events"); got != "1" {
		t.Errorf("%q rows", got)
	}
}

func TestARebuildIsEqual(t *testing.T) {
	n := serve(t, t.TempDir(), map[string]string{"role": "local"})
	check := func() (result struct {
		Name   string
		OK     bool
		Detail string
	}) {
		t.Helper()
		text := n.want("POST", "/api/v1/verify", map[string]string{"what": "rebuild"})
		if err := json.Unmarshal([]byte(text), &result); err != nil || result.Name != "rebuild" {
			t.Fatalf("%v: %s", err, text)
		}
		return result
	}
	if got := check(); !got.OK {
		t.Errorf("empty: %+v", got)
	}
	n.source("web")
	var events []map[string]any
	for i := range 300 {
		e := map[string]any{"type": "track", "event": "Order Completed", "messageId": fmt.Sprint(i % 250), "userId": fmt.Sprint("u", i%40),
			"timestamp": time.Date(2026, 1, 1+i%250, 0, 0, 0, 0, time.UTC), "properties": map[string]any{"revenue": i, "currency": "EUR"}}
		if i%50 == 0 {
			e["type"] = "sing"
		}
		events = append(events, e)
	}
	n.want("POST", "/api/v1/events?source=web", events[:200])
	n.want("POST", "/api/v1/lake/commit", struct{}{})
	n.want("POST", "/api/v1/events?source=web", events[200:])
	if got := check(); !got.OK || !strings.Contains(got.Detail, "up to 300") {
		t.Errorf("%+v", got)
	}
	if left, err := os.ReadDir(filepath.Join(n.dir, "tmp", "rebuild")); err == nil {
		t.Errorf("the rebuild left %v", left)
	}
	if got := n.want("POST", "/api/v1/verify", struct{}{}); strings.Count(got, `"ok":true`) != 3 || strings.Contains(got, `"ok":false`) {
		t.Error(got)
	}
}

func TestItEndsWhileQueriesRun(t *testing.T) {
	n := serve(t, t.TempDir(), map[string]string{"role": "local"})
	type answer struct {
		status int
		text   string
		err    error
	}
	answers := make(chan answer, 2)
	for range 2 { // one has the only query process, one waits for it
		go func() {
			status, text, err := n.try(context.Background(), "POST", "/api/v1/sql",
				map[string]string{"query": "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE a.i * b.j = -1"})
			answers <- answer{status, text, err}
		}()
	}
	until(t, "a query process", func() bool { return children(t) > 0 })
	began := time.Now()
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	t.Logf("it ended after %s", time.Since(began).Round(time.Millisecond))
	for range 2 {
		if got := <-answers; got.err == nil && got.status < 400 {
			t.Errorf("a query is answered %d %q", got.status, got.text)
		}
	}
	if got := children(t); got != 0 {
		t.Errorf("%d query processes are left", got)
	}
}

// until waits for something outside of this process, of which nothing tells.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("there is never %s", what)
		}
	}
}

// children counts this process's children that live.
func children(t *testing.T) (n int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(paths) == 0 {
		t.Skip("SKIPPED: this kernel does not list the children of a process, so nobody can see that none is left")
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			n += len(strings.Fields(string(text)))
		}
	}
	return n
}
