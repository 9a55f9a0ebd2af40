package test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFaultDiskFull fills the disk below the watermark under load: events are refused with the reason, queries go on,
// and all goes on by itself when there is room again.
func TestFaultDiskFull(t *testing.T) {
	slow(t)
	v := newVolume(t, 400<<20)
	g := besiege(t, filepath.Join(v.dir, "data"), "--journal-min-free", "64MB", "--lake-flush-interval", "100ms", "--lake-commit-rows", "2000", "--lake-commit-interval", "500ms")
	r := g.begin()
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	g.excused.Store(true)
	v.fill(32 << 20)
	refused := g.refusal(10 * time.Second)
	if refused.status != http.StatusServiceUnavailable || !strings.Contains(refused.text, "disk nearly full") {
		t.Errorf("below the watermark: %v", refused)
	}
	if err := r.more(3, 20*time.Second); err != nil {
		t.Errorf("queries while the disk is nearly full: %v", err)
	}
	v.free()
	g.accepted(10 * time.Second)
	g.excused.Store(false)
	g.finish(r)
}

// TestFaultDiskBrim lets somebody else take the last byte of the disk under load, faster than the watermark sees it. The
// server either goes on by itself when there is room again, or has said that it is not ready and ends.
func TestFaultDiskBrim(t *testing.T) {
	slow(t)
	t.Parallel()
	v := newVolume(t, 400<<20)
	g := besiege(t, filepath.Join(v.dir, "data"), "--journal-min-free", "16MB", "--journal-segment-size", "64KB", "--lake-flush-interval", "50ms", "--lake-commit-rows", "400", "--lake-commit-interval", "300ms")
	r := g.begin()
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	g.excused.Store(true)
	v.fill(0)
	refused := g.refusal(10 * time.Second)
	if text := strings.ToLower(refused.text); refused.status != http.StatusServiceUnavailable ||
		!strings.Contains(text, "disk nearly full") && !strings.Contains(text, "no space left on device") {
		t.Errorf("on a full disk: %v", refused)
	}
	time.Sleep(2 * time.Second) // flushes and commits meet the full disk
	status, ready := g.get("/readyz")
	v.free()
	if status == http.StatusServiceUnavailable {
		t.Logf("not ready, and ends: %s", ready)
		select {
		case <-g.s.exited:
		case <-time.After(60 * time.Second):
			t.Fatal("the server is not ready and does not end")
		}
		g.closed()
		g.restart(aim{flags: g.s.flags})
		if err := r.wait(30 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	g.accepted(10 * time.Second)
	g.finish(r)
}

// TestFaultLakeDisk fills the disk of the lake alone: events are still accepted, what is stored can be asked for and the
// server says since when and why it is not ready, also one that is started then; with room again everything is in the
// lake without a restart.
func TestFaultLakeDisk(t *testing.T) {
	slow(t)
	t.Parallel()
	v := newVolume(t, 200<<20)
	data, lake := t.TempDir(), filepath.Join(v.dir, "lake")
	if err := errors.Join(os.Mkdir(lake, 0o755), os.Symlink(lake, filepath.Join(data, "lake"))); err != nil {
		t.Fatal(err)
	}
	g := besiege(t, data, "--lake-flush-interval", "50ms", "--lake-commit-rows", "400", "--lake-commit-interval", "300ms")
	r := g.begin()
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	g.excused.Store(true)
	v.fill(0)
	g.answers(http.StatusServiceUnavailable, "no space left on device")
	if err := g.one(); err != nil {
		t.Errorf("an event while the lake's disk is full: %v", err)
	}
	_, err := g.ask("SELECT count(*) FROM clean.events", "")
	hint := regexp.MustCompile(`AS OF SEQ \d+`).FindString(fmt.Sprint(err))
	if rows, err := g.ask("SELECT count(*) > 0 FROM clean.events "+hint, ""); hint == "" || err != nil || rows[0] != "true" {
		t.Errorf("what is stored, %q: %q, %v", hint, rows, err)
	}
	v.free()
	g.answers(http.StatusOK, "ok")
	g.excused.Store(false)
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}

	g.excused.Store(true)
	v.fill(0)
	g.answers(http.StatusServiceUnavailable, "no event goes to the lake since")
	g.s.kill()
	g.closed()
	g.restart(aim{flags: g.s.flags})
	g.answers(http.StatusServiceUnavailable, "no event goes to the lake since")
	if err := g.one(); err != nil {
		t.Errorf("an event after a start on a full disk: %v", err)
	}
	v.free()
	g.answers(http.StatusOK, "ok")
	g.excused.Store(false)
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	g.finish(r)
}

// answers waits until /readyz answers with the status and says something.
func (g *siege) answers(want int, says string) {
	g.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		status, text := g.get("/readyz")
		if status == want && strings.Contains(text, says) {
			return
		}
		if time.Since(began) > 90*time.Second {
			g.t.Fatalf("/readyz: %d %s; want %d and %q", status, text, want, says)
		}
	}
}

// TestFaultDiskGone takes the disk away under load, once by making it read-only, as ext4 does when it finds itself
// damaged, and once so that every access answers EIO. Events are refused with the reason, the server says that it is
// not ready and ends by itself after half a minute; with a disk again everything acknowledged is there.
func TestFaultDiskGone(t *testing.T) {
	slow(t)
	t.Parallel()
	for _, c := range []struct {
		name string
		says []string // one of them; a write that was under way is answered EIO in any case
		harm func(v *volume)
	}{
		{"read-only", []string{"read-only file system", "input/output error"}, (*volume).readOnly},
		{"EIO", []string{"input/output error"}, (*volume).cut},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			named := func(text string) bool {
				return slices.ContainsFunc(c.says, func(say string) bool { return strings.Contains(strings.ToLower(text), say) })
			}
			v := newVolume(t, 400<<20)
			g := besiege(t, filepath.Join(v.dir, "data"), "--journal-min-free", "16MB")
			r := g.begin()
			if err := r.wait(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			g.excused.Store(true)
			began := time.Now()
			c.harm(v)
			refused := g.refusal(10 * time.Second)
			if refused.status != http.StatusServiceUnavailable || !named(refused.text) {
				t.Errorf("an event: %v; want a 503 that says %q", refused, c.says)
			}
			if status, text := g.get("/readyz"); status != http.StatusServiceUnavailable || !named(text) {
				t.Errorf("/readyz: %d %s; want a 503 that says %q", status, text, c.says)
			}
			// A read that cannot be audited is refused (law 5), so nothing is asked that touches the disk's data; that the
			// refusal says so is what can be had.
			if _, err := g.query(t.Context(), g.s.url, "SELECT count(*) FROM clean.events"); err == nil || !strings.Contains(err.Error(), "audit log") && !strings.Contains(err.Error(), "AS OF SEQ") {
				t.Errorf("a query: %v; want a refusal that names the audit log, or what can still be read", err)
			}
			select {
			case <-g.s.exited:
			case <-time.After(60 * time.Second):
				t.Error("the server does not end by itself")
				g.s.kill()
			}
			if took := time.Since(began); took < 20*time.Second {
				t.Errorf("the server ended after %s already: %s", took, g.s.log)
			}
			if code := g.s.cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("it ended with exit code %d, want 1", code)
			}
			g.closed()
			v.repair()
			g.excused.Store(false)
			if err := g.s.start(); err != nil {
				t.Fatal(err)
			}
			g.opened()
			if err := r.wait(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			g.finish(r)
		})
	}
}

// refusal sends an event until one is refused.
func (g *siege) refusal(limit time.Duration) *answerError {
	g.t.Helper()
	for began := time.Now(); time.Since(began) < limit; time.Sleep(20 * time.Millisecond) {
		var answer *answerError
		if err := g.one(); errors.As(err, &answer) {
			return answer
		}
	}
	g.t.Fatal("events are still accepted")
	return nil
}

// accepted sends events until one is accepted.
func (g *siege) accepted(limit time.Duration) {
	g.t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < limit; time.Sleep(20 * time.Millisecond) {
		if err = g.one(); err == nil {
			return
		}
	}
	g.t.Fatalf("events are still refused: %v", err)
}

func (g *siege) one() error {
	batch := g.ledger.take(0, 1, time.Now())
	path, body := g.ledger.body(batch, time.Now())
	err := g.post(g.t.Context(), g.s.url+path, g.keys[0], body)
	if err != nil {
		g.ledger.fail(0, batch)
		return err
	}
	g.ledger.ack(batch)
	return nil
}

func (g *siege) get(path string) (status int, text string) {
	g.t.Helper()
	req, err := http.NewRequest("GET", g.s.url+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	body, err := g.do(req)
	if answer := (*answerError)(nil); errors.As(err, &answer) {
		return answer.status, answer.text
	}
	if err != nil {
		g.t.Error(err)
		return 0, ""
	}
	return http.StatusOK, string(body)
}

// more returns when n more answers have come.
func (r *reader) more(n int, limit time.Duration) error {
	deadline := time.After(limit)
	for range n {
		select {
		case <-r.answered:
		case <-r.siege.alarm:
			r.siege.check()
		case <-deadline:
			return fmt.Errorf("no answer within %s", limit)
		}
	}
	return nil
}

// fill takes all but so many bytes of the disk; free gives them back.
func (v *volume) fill(left int64) {
	v.t.Helper()
	var stat unix.Statfs_t
	if err := unix.Statfs(v.dir, &stat); err != nil {
		v.t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(v.dir, "ballast"))
	if err != nil {
		v.t.Fatal(err)
	}
	defer f.Close()
	for at, want := int64(0), int64(stat.Bfree)*stat.Bsize-left; want >= 4096; { // not all that is free can be had
		switch err := unix.Fallocate(int(f.Fd()), 0, at, want); {
		case err == nil && left > 0:
			return
		case err == nil:
			at += want
		case errors.Is(err, unix.ENOSPC):
			want /= 2
		default:
			v.t.Fatal(err)
		}
	}
}

func (v *volume) free() {
	v.t.Helper()
	if err := os.Remove(filepath.Join(v.dir, "ballast")); err != nil {
		v.t.Fatal(err)
	}
}

// readOnly tells ext4 that it has found an error, upon which it takes no more writes.
func (v *volume) readOnly() {
	v.t.Helper()
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(v.device), "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("a test"), 0); err != nil {
		v.t.Skipf("SKIPPED, AND THIS IS A TEST THAT COUNTS: ext4 cannot be told of an error: %v", err)
	}
}

// repair is what an owner does after a disk had failed.
func (v *volume) repair() {
	v.t.Helper()
	v.unmount()
	if out, err := command("e2fsck", "-fy", v.device); err != nil {
		v.t.Logf("e2fsck: %s %v", out, err) // it fails if it mended something
	}
	v.mount()
}
