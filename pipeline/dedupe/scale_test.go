package dedupe

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kith/event"
)

var (
	scale   = flag.Int("scale", 0, "ids that TestScale remembers; needs about 16 bytes each under -scale-dir, twice that while merging")
	pattern = flag.String("scale-pattern", "live", "their times: live (a million an hour), hour (all in one), shuffled (over five years)")
	scaleAt = flag.String("scale-dir", "", "where TestScale puts its folder; the system's temporary folder by default")
)

// TestScale remembers many ids and prints what that costs. It asserts what must be right, never how long it took.
func TestScale(t *testing.T) {
	if *scale == 0 {
		t.Skip("skipped: takes minutes; run with: go test ./pipeline/dedupe -run Scale -v -timeout 2h -scale 50000000 -scale-pattern hour")
	}
	root, err := os.MkdirTemp(*scaleAt, "scale")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	dir := filepath.Join(root, "dedupe")
	in := traffic{at: map[string]func(uint64) int64{"live": live, "hour": oneHour, "shuffled": shuffled}[*pattern]}
	n := uint64(*scale)

	x := mustOpen(t, dir, nil, Options{})
	first := timedID("the very first", 0)
	x.Add(first, 1)
	mark := addAll(t, x, &in, n)
	x.Close()

	began := time.Now()
	x = mustOpen(t, dir, mark, Options{})
	defer x.Close()
	t.Logf("open: %v, %d runs, %s", time.Since(began).Round(time.Millisecond), runsOf(x), memory())
	if x.Len() != int64(n)+1 {
		t.Fatalf("%d ids", x.Len())
	}
	if seq, duplicate := x.Add(first, event.Seq(n+2)); seq != 1 || !duplicate {
		t.Fatalf("the event of the first hour, resent: %d %v", seq, duplicate)
	}
	const some = 1_000_000
	began, used := time.Now(), cpu()
	for i := range uint64(some) {
		at := mix64(i) % n
		if seq, duplicate := x.Add(in.key(at), event.Seq(n+2)); seq != event.Seq(at+2) || !duplicate {
			t.Fatalf("event %d, resent: %d %v", at, seq, duplicate)
		}
	}
	t.Logf("resends: %v each, CPU %v, %s", time.Since(began)/some, (cpu()-used)/some, memory())
	began, used = time.Now(), cpu()
	for i := n; i < n+some/2; i++ {
		x.Add(in.key(i), event.Seq(i+2))
	}
	t.Logf("new ones: %v each, CPU %v, %s", time.Since(began)*2/some, (cpu()-used)*2/some, memory())
	if err := x.Err(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	report, err := x.Verify()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("verify: %v, %+v", time.Since(began).Round(time.Millisecond), report)
}

// addAll adds n events, with a checkpoint every 100,000 as the processor makes it, and waits until nothing runs.
func addAll(t *testing.T, x *Index, in *traffic, n uint64) []byte {
	began, last, used := time.Now(), time.Now(), cpu()
	var longest time.Duration
	for i := range n {
		at := time.Now()
		if _, duplicate := x.Add(in.key(i), event.Seq(i+2)); duplicate {
			t.Fatalf("event %d is taken for another", i)
		}
		longest = max(longest, time.Since(at))
		if i%100_000 == 0 {
			x.Committed(mustFlush(t, x))
		}
		if step := max(n/8, 1); i%step == step-1 {
			t.Logf("%.1f M: %.0f k adds/s with checkpoints, longest add %v, %d runs, %s", float64(i+1)/1e6, float64(step)/1e3/time.Since(last).Seconds(),
				longest.Round(time.Millisecond), runsOf(x), memory())
			last, longest = time.Now(), 0
		}
	}
	t.Logf("all: %.0f k adds/s", float64(n)/1e3/time.Since(began).Seconds())
	idle(x)
	mark := mustFlush(t, x)
	x.Committed(mark)
	t.Logf("merged after %v, CPU all in %v an id, mark of %d bytes, %.1f bytes an id on disk", time.Since(began).Round(time.Second), (cpu()-used)/time.Duration(n), len(mark), float64(folderSize(x.folder.dir))/float64(n))
	return mark
}

func folderSize(dir string) (size int64) {
	for _, p := range glob(dir, "*") {
		if info, err := os.Stat(p); err == nil {
			size += info.Size()
		}
	}
	return size
}

// cpu is the time that the process has computed, merging in the background included: on a busy machine it says more than
// the clock does.
func cpu() time.Duration {
	var r unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// memory is the process's own account of its memory now.
func memory() string {
	b, _ := os.ReadFile("/proc/self/status")
	var words []string
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && (name == "VmRSS" || name == "RssAnon") {
			words = append(words, fmt.Sprint(name, " ", strings.TrimSpace(value)))
		}
	}
	return strings.Join(words, ", ")
}
