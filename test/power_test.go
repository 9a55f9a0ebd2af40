package test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPowerCut cuts a file system's power under the loaded server: what was not synced never reaches the disk. Then all
// that TestKill asks for must hold. One cut more strikes a server in the first moments of its folder's life.
func TestPowerCut(t *testing.T) {
	slow(t)
	cuts := number("KITH_POWER_CUTS", 1)
	v := newVolume(t, 1<<30)
	flags := []string{"--journal-min-free", "16MB"}
	all := aims()
	for i := range all {
		all[i].flags = append(all[i].flags, flags...)
	}
	firstMoments(t, v, flags)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	at := rng.IntN(len(all))
	g := besiege(t, filepath.Join(v.dir, "data"), all[at].flags...)
	r := g.begin()
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	for i := range cuts {
		a := all[(at+i)%len(all)]
		g.strike(a, rng, func() {
			g.excused.Store(true)
			v.cut()
		})
		time.Sleep(100 * time.Millisecond) // a 200 after the cut would be found lost
		g.s.kill()
		v.remount()
		g.excused.Store(false)
		t.Logf("power cut at %s", a.name)
		g.restart(all[(at+i+1)%len(all)])
		if err := r.wait(30 * time.Second); err != nil {
			t.Fatalf("after power cut %d, at %s: %v", i+1, a.name, err)
		}
	}
	g.finish(r)
	t.Logf("%d power cuts%s", cuts+1, g.tally(r))
}

// firstMoments cuts the power right after the first event was acknowledged in a new folder.
func firstMoments(t *testing.T, v *volume, flags []string) {
	s := start(t, filepath.Join(v.dir, "young"), flags...)
	key := s.kith("source", "create", "first")
	status, answer, err := s.send(key, "/api/v1/events", "application/json", []byte(`{"type":"track","event":"First","messageId":"1","userId":"u"}`))
	if err != nil || status != 200 {
		t.Fatalf("status %d, %v: %s", status, err, answer)
	}
	v.cut()
	s.kill()
	v.remount()
	if err := s.start(); err != nil {
		t.Fatalf("after a power cut in the first moments: %v", err)
	}
	if got := s.sql("SELECT message_id, source FROM clean.events"); got != "1,first" {
		t.Errorf("after a power cut in the first moments: got %q, want 1,first", got)
	}
	if status, answer, err = s.send(key, "/api/v1/events", "application/json", []byte(`{"type":"track","event":"Second","messageId":"2","userId":"u"}`)); err != nil || status != 200 {
		t.Errorf("the key after the cut: status %d, %v: %s", status, err, answer)
	}
	s.stop()
}

// volume is an ext4 file system of its own, in a file.
type volume struct {
	t      testing.TB
	device string
	dir    string // where it is mounted
}

// newVolume makes one of so many bytes. It needs root and loop devices.
func newVolume(t testing.TB, size int64) *volume {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, AND THIS IS A TEST THAT COUNTS: making a file system in a file needs root")
	}
	folder := t.TempDir()
	image := filepath.Join(folder, "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	if _, err := command("mkfs.ext4", "-q", "-F", image); err != nil {
		t.Skipf("SKIPPED, AND THIS IS A TEST THAT COUNTS: %v", err)
	}
	device, err := command("losetup", "--find", "--show", image)
	if err != nil {
		t.Skipf("SKIPPED, AND THIS IS A TEST THAT COUNTS: no loop device: %v", err)
	}
	t.Cleanup(func() {
		if _, err := command("losetup", "--detach", device); err != nil {
			t.Error(err)
		}
	})
	v := &volume{t: t, device: device, dir: filepath.Join(folder, "mounted")}
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	v.mount()
	t.Cleanup(v.unmount)
	return v
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %v: %w: %s", name, args, err, bytes.TrimSpace(out))
	}
	return string(bytes.TrimSpace(out)), nil
}

func (v *volume) mount() {
	v.t.Helper()
	if err := unix.Mount(v.device, v.dir, "ext4", 0, "errors=remount-ro"); err != nil {
		v.t.Fatalf("mount %s: %v", v.device, err)
	}
}

// unmount waits for the last process of a killed server to let go.
func (v *volume) unmount() {
	v.t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		if err = unix.Unmount(v.dir, 0); err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it is not mounted
			return
		}
	}
	v.t.Errorf("unmount %s: %v", v.dir, err)
	if err := unix.Unmount(v.dir, unix.MNT_DETACH); err != nil {
		v.t.Error(err)
	}
}

// remount unmounts and mounts, which replays the file system's journal as after a power cut.
func (v *volume) remount() {
	v.t.Helper()
	v.unmount()
	v.mount()
}

// cut makes the file system forget all that it has not written yet, its own journal's buffers too, and take nothing more.
func (v *volume) cut() {
	v.t.Helper()
	dir, err := os.Open(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	defer dir.Close()
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush = 2
	)
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), shutdown, noLogFlush); err != nil {
		v.t.Fatalf("cut the power of %s: %v", v.dir, err)
	}
}
