package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestREADME runs the commands under "Use it" as they are written there, by a shell in an empty folder, and the
// set-up that the first of them speaks of. Only the address and the key are put in.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Use it")
	_, block, _ := strings.Cut(section, "```\n")
	block, _, _ = strings.Cut(block, "```")
	dir := t.TempDir()
	put(t, filepath.Join(dir, "orders.csv"), "Order,When,Who,Amount\n1,2026-01-01 10:00:00,ana,12.50\n2,2026-01-02 11:00:00,bo,7.25\n")
	put(t, filepath.Join(dir, "orders.yaml"), "event: Order Completed\ntimestamp: \"{When}\"\nuser_id: \"{Who}\"\nproperties:\n  order_id: \"{Order}\"\n  revenue: \"{Amount}\"\n")
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary(t), filepath.Join(dir, "bin", "kith")); err != nil {
		t.Fatal(err)
	}
	lines := commands(block)
	url, link := background(t, dir, lines[0])
	said := map[string]string{}
	key := ""
	for _, line := range lines[1:] {
		line = strings.ReplaceAll(strings.ReplaceAll(line, "127.0.0.1:8080", strings.TrimPrefix(url, "http://")), "WRITE_KEY", key)
		out, problems, err := shell(dir, line)
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", line, err, out, problems)
		}
		word := strings.Join(strings.Fields(strings.ReplaceAll(line, "bin/", ""))[:2], " ")
		said[word] += out
		if strings.HasPrefix(line, "bin/kith source create web") {
			key = strings.TrimSpace(out)
		}
	}
	for word, want := range map[string]string{"curl -u": "success", "kith sql": "Signed Up", "kith import": "2 rows sent", "kith verify": "ok       lake"} {
		if !strings.Contains(said[word], want) {
			t.Errorf("%s does not print %q: %q", word, want, said[word])
		}
	}
	setUpBy(t, url, link)
}

// commands splits a block into commands: a quote may go on over lines.
func commands(block string) (all []string) {
	open := ""
	for line := range strings.Lines(block) {
		open += line
		if strings.Count(open, "'")%2 == 0 && strings.TrimSpace(open) != "" {
			all = append(all, strings.TrimSpace(open))
			open = ""
		}
	}
	return all
}

func shell(dir, line string) (out, problems string, err error) {
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir, cmd.Env = dir, cleanEnv()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// background starts the server that a line names, and returns its address and the set-up link that it prints.
func background(t *testing.T, dir, line string) (url, link string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", "exec "+line)
	cmd.Dir, cmd.Env = dir, append(cleanEnv(), "KITH_HTTP_LISTEN=127.0.0.1:0")
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-exited
	})
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		text := log.String()
		if _, after, ok := strings.Cut(text, "administrator at "); ok && strings.Contains(after, "\n") {
			link, _, _ = strings.Cut(after, "\n")
			_, after, _ = strings.Cut(text, " at ")
			url, _, _ = strings.Cut(after, "\n")
			return url, link
		}
		select {
		case <-exited:
			t.Fatalf("the server ended: %s", log.String())
		default:
		}
	}
	t.Fatalf("the server prints no link: %s", log.String())
	return "", ""
}

// setUpBy makes the first owner with the link, once.
func setUpBy(t *testing.T, url, link string) {
	t.Helper()
	_, token, ok := strings.Cut(link, "/#setup=")
	if !ok || !strings.HasPrefix(link, url) {
		t.Fatalf("the link is %q", link)
	}
	post := func(token, password string) (int, string) {
		body, err := json.Marshal(map[string]string{"token": token, "email": "first@example.test", "password": password})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url+"/api/v1/setup", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, fmt.Sprint(string(text), resp.Header.Get("Set-Cookie"))
	}
	for _, c := range []struct {
		token, password string
		status          int
	}{
		{"guessed", "a long enough one", 403}, {token, "short", 400}, {token, "a long enough one", 201}, {token, "a long enough one", 409},
	} {
		status, text := post(c.token, c.password)
		if status != c.status || status == 201 && !strings.Contains(text, "kith_session=") {
			t.Errorf("set-up: %d %s, want %d", status, text, c.status)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
