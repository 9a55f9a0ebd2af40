package duck_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kith/event"
	"kith/internal/duck"
)

// No thread of DuckDB looks up while it works on one value.
const deaf = "select levenshtein(repeat('a', 60000), repeat('b', 60000))"

const endless = "select count(*) from range(100000000) a(i), range(100000000) b(j) where a.i * b.j = -1"

func session(t testing.TB, p *duck.Pool) *duck.Session {
	t.Helper()
	s, err := p.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// works fails the test unless a session of the pool answers.
func works(t testing.TB, p *duck.Pool) {
	t.Helper()
	if a, _, err := run(t, p, duck.Job{Query: "select 42 as x", Format: duck.CSV}); err != nil || a.String() != "x\n42\n" {
		t.Fatalf("afterwards: %q, %v", a.String(), err)
	}
}

func TestLimitsNameThemselves(t *testing.T) {
	p, _ := newPool(t, func(o *duck.Options) { o.Memory, o.Spill, o.AddressSpace = 100<<20, 20<<20, 3<<30 })
	for _, c := range []struct {
		job  duck.Job
		text string
	}{
		{duck.Job{Query: "select list(i) from range(100000000) t(i)"}, "memory"},
		{duck.Job{Query: "select i, count(*) from range(20000000) t(i) group by i order by 2, 1 limit 1"}, "memory"},
		{duck.Job{Query: "select len(repeat('x', 4000000000))"}, "memory"},
		{duck.Job{Query: "from range(11)", MaxRows: 10}, "more rows than the limit of 10"},
		{duck.Job{Query: "select repeat('x', 1000)", MaxBytes: 999}, "larger than the limit of 999 bytes"},
	} {
		_, _, err := run(t, p, c.job)
		if event.CodeOf(err) != event.Resource || !strings.Contains(strings.ToLower(err.Error()), c.text) {
			t.Errorf("%s: %s %v", c.job.Query, event.CodeOf(err), err)
		}
	}
	works(t, p)
}

func TestDeadlineStopsWhatDuckDBCannotStop(t *testing.T) {
	p, _ := newPool(t, nil)
	for _, sql := range []string{endless, deaf} {
		limit := event.Errorf(event.TimedOut, "the limit is 200ms")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, limit)
		s := session(t, p)
		_, err := s.Run(ctx, duck.Job{Query: sql, Format: duck.CSV}, &answer{})
		cancel()
		s.Close()
		if !errors.Is(err, limit) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	works(t, p)
}

func TestCancel(t *testing.T) {
	p, _ := newPool(t, func(o *duck.Options) { o.Grace = time.Minute }) // it is the interrupt that counts here
	ctx, cancel := context.WithCancel(t.Context())
	s := session(t, p)
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Run(ctx, duck.Job{Query: endless, Format: duck.CSV}, &answer{}); event.CodeOf(err) != event.Canceled {
		t.Errorf("running: %v", err)
	}
	pid := s.PID()
	if _, err := s.Run(ctx, duck.Job{Query: "select 1", Format: duck.CSV}, &answer{}); event.CodeOf(err) != event.Canceled {
		t.Errorf("not yet running: %v", err)
	}
	if _, err := s.Run(t.Context(), duck.Job{Query: "select 1", Format: duck.CSV}, &answer{}); err != nil || s.PID() != pid {
		t.Errorf("the session cannot be used any more: %v", err)
	}
}

// killer kills a process as soon as the first piece of an answer is there.
type killer struct {
	answer
	pid int
}

func (k *killer) Write(p []byte) (int, error) {
	if k.pid != 0 {
		if err := syscall.Kill(k.pid, syscall.SIGKILL); err != nil {
			return 0, err
		}
		k.pid = 0
	}
	return k.answer.Write(p)
}

func TestKilledChildHarmsOneQuery(t *testing.T) {
	p, _ := newPool(t, nil)
	victim, other := session(t, p), session(t, p)
	result := make(chan error, 1)
	go func() {
		_, err := other.Run(t.Context(), duck.Job{Query: "select count(*) from range(50000000) t(i) where i % 7 = 3", Format: duck.CSV}, &answer{})
		result <- err
	}()
	_, err := victim.Run(t.Context(), duck.Job{Query: "from range(100000000)", Format: duck.CSV}, &killer{pid: victim.PID()})
	if event.CodeOf(err) != event.Unavailable || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("the victim: %v", err)
	}
	if _, err := victim.Run(t.Context(), duck.Job{Query: "select 1"}, &answer{}); event.CodeOf(err) != event.Unavailable {
		t.Errorf("the victim again: %v", err)
	}
	if _, err := victim.Folder(); event.CodeOf(err) != event.Unavailable {
		t.Errorf("the victim's folder: %v", err)
	}
	works(t, p)
	if err := <-result; err != nil {
		t.Errorf("the other: %v", err)
	}
}

func TestIdleChildKilledFromOutside(t *testing.T) {
	p, _ := newPool(t, nil)
	s := session(t, p)
	pid := s.PID()
	s.Close()
	ended := watch(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ended()
	works(t, p)
}

func TestIdleChildEnds(t *testing.T) {
	p, _ := newPool(t, func(o *duck.Options) { o.Idle = time.Millisecond })
	s := session(t, p)
	ended := watch(t, s.PID())
	s.Close()
	ended()
	works(t, p)
}

// watch returns a function that waits until the process has ended.
func watch(t testing.TB, pid int) func() {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		defer unix.Close(fd)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
			if err == unix.EINTR {
				continue
			}
			if n != 1 || err != nil {
				t.Errorf("process %d lives on: %v", pid, err)
			}
			return
		}
	}
}

func TestQueueWaitsAndGivesUp(t *testing.T) {
	p, _ := newPool(t, func(o *duck.Options) { o.Children = 1 })
	s := session(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Session(ctx); event.CodeOf(err) != event.TimedOut {
		t.Errorf("waiting: %v", err)
	}
	next := make(chan error, 1)
	go func() {
		second, err := p.Session(t.Context())
		if err == nil {
			second.Close()
		}
		next <- err
	}()
	s.Close()
	if err := <-next; err != nil {
		t.Errorf("the next in the queue: %v", err)
	}
}

// slow counts, and refuses after a while.
type slow struct {
	answer
	bytes, most int
}

func (s *slow) Write(p []byte) (int, error) {
	if s.bytes += len(p); s.bytes > s.most {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestStreamNeedsLittleMemory(t *testing.T) {
	p, _ := newPool(t, nil)
	s := session(t, p)
	sink := &slow{most: 1 << 30}
	done, err := s.Run(t.Context(), duck.Job{Query: "select i, repeat('x', 90) as x from range(1000000) t(i)", Format: duck.CSV}, sink)
	if err != nil || done.Bytes != int64(sink.bytes) || done.Bytes < 90_000_000 {
		t.Fatalf("%+v %v", done, err)
	}
	if done.Peak > 400<<20 {
		t.Errorf("%d MB for an answer of %d MB", done.Peak>>20, done.Bytes>>20)
	}
	sink = &slow{most: 1 << 20}
	if _, err := s.Run(t.Context(), duck.Job{Query: "from range(1000000000)", Format: duck.CSV}, sink); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("nobody takes the answer: %v", err)
	}
	works(t, p)
}

func TestCloseRefusesWhatComesLater(t *testing.T) {
	p, _ := newPool(t, nil)
	works(t, p)
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Session(t.Context()); event.CodeOf(err) != event.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

// parentVariable makes this test binary a parent that can be killed.
const parentVariable = "DUCK_TEST_PARENT"

func beParent() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p, err := duck.NewPool(duck.Options{Command: []string{self}, Folder: os.Getenv(parentVariable)})
	if err != nil {
		panic(err)
	}
	s, err := p.Session(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(s.PID())
	_, err = s.Run(context.Background(), duck.Job{Query: deaf, Format: duck.CSV}, &answer{})
	panic(err)
}

func TestChildEndsWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentVariable+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 32)
	n, err := out.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		t.Fatal(err)
	}
	ended := watch(t, pid)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	ended()
}
