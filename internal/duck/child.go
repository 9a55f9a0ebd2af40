package duck

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"kith/event"
)

// child is the parent's end of one child process.
type child struct {
	cmd      *exec.Cmd
	folder   string
	requests *os.File
	answers  *bufio.Reader
	pipe     *os.File // under answers
	noise    *tail    // what the process wrote on standard error
	sandbox  string
	buffer   []byte
	number   uint64        // of the last request, as the child counts
	exited   chan struct{} // closed when the process has ended and its folder is gone
	write    sync.Mutex    // a stop comes from another goroutine
}

// spawn makes a process and its pipes. It must be called on a thread that lives as long as the child should.
func spawn(o Options, folder string) (*child, error) {
	if err := os.MkdirAll(filepath.Join(folder, "spill"), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of a query process: %w", err)
	}
	requestRead, requestWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer requestRead.Close()
	answerRead, answerWrite, err := os.Pipe()
	if err != nil {
		requestWrite.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer answerWrite.Close()
	config := childConfig{Folder: folder, Read: o.Read, AddressSpace: o.AddressSpace, Memory: o.Memory, Spill: o.Spill, Threads: o.Threads}
	c := &child{folder: folder, requests: requestWrite, pipe: answerRead, answers: bufio.NewReaderSize(answerRead, pieceSize),
		noise: &tail{}, exited: make(chan struct{})}
	c.cmd = exec.Command(o.Command[0], o.Command[1:]...)
	c.cmd.Env = []string{config.variable()} // nothing of the parent's: it holds secrets
	c.cmd.Dir = folder
	c.cmd.Stdout, c.cmd.Stderr = c.noise, c.noise
	c.cmd.ExtraFiles = []*os.File{requestRead, answerWrite}
	// Its own group: Ctrl-C is for the parent, which lets running queries end.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		requestWrite.Close()
		answerRead.Close()
		return nil, fmt.Errorf("start a query process: %w", err)
	}
	go c.wait()
	return c, nil
}

// wait ends with the process and takes what it leaves behind.
func (c *child) wait() {
	_ = c.cmd.Wait() // how it ended is in ProcessState
	c.requests.Close()
	_ = os.RemoveAll(c.folder) // a rest is removed at the next start
	close(c.exited)
}

// ready waits until the child is locked.
func (c *child) ready() error {
	kind, payload, err := readFrame(c.answers, &c.buffer)
	if err != nil || kind != frameReady {
		c.end()
		return fmt.Errorf("a query process did not start: %w", c.gone())
	}
	var message readyMessage
	if err := json.Unmarshal(payload, &message); err != nil {
		c.end()
		return fmt.Errorf("a query process did not start: %w", err)
	}
	c.sandbox = message.Sandbox
	return nil
}

func (c *child) send(kind frameKind, payload []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	if kind != frameStop {
		c.number++
	}
	return writeFrame(c.requests, kind, payload)
}

// stop asks the child to give the running request up.
func (c *child) stop(number uint64) error {
	return c.send(frameStop, binary.LittleEndian.AppendUint64(nil, number))
}

func (c *child) receive() (frameKind, []byte, error) { return readFrame(c.answers, &c.buffer) }

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it may be gone already

// end kills the child and waits until nothing is left of it.
func (c *child) end() {
	c.kill()
	<-c.exited
	c.pipe.Close()
}

// gone says why the child ended, as far as can be seen. Call it after end.
func (c *child) gone() *event.Error {
	last := c.noise.String()
	cause := fmt.Errorf("%s; it wrote: %s", c.cmd.ProcessState, last)
	for _, word := range []string{"out of memory", "cannot allocate memory", "bad_alloc", "failed to create new OS thread"} {
		if strings.Contains(last, word) {
			return &event.Error{Code: event.Resource, Message: "the query needed more memory than its process may have", Err: cause}
		}
	}
	return &event.Error{Code: event.Unavailable, Message: "the process that ran the query has ended",
		Hint: "other queries are not affected; try again", Err: cause}
}

// alive reports whether the child still has its end of the pipe. It is for an idle one, which has nothing to say.
func (c *child) alive() bool {
	raw, err := c.pipe.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		quiet = n == 0 && err == nil
	})
	return quiet && err == nil
}

// resetPeak makes the kernel forget the highest memory use so far.
func (c *child) resetPeak() {
	_ = os.WriteFile(c.proc("clear_refs"), []byte("5"), 0) // without it the peak is of the child's whole life
}

// peak is the highest resident memory since resetPeak, in bytes.
func (c *child) peak() int64 {
	status, err := os.ReadFile(c.proc("status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

func (c *child) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", c.cmd.Process.Pid, name) }

// tail keeps the first and last 2 KB of what is written to it: the reason for a crash stands first, what a library
// has to say stands last.
type tail struct {
	mu          sync.Mutex
	first, last []byte
}

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(p), tailSize-len(t.first))
	t.first = append(t.first, p[:n]...)
	t.last = append(t.last, p[n:]...)
	if len(t.last) > tailSize {
		t.last = append(t.last[:0], t.last[len(t.last)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.first) + string(t.last))
}

// errSink marks an error of the one who takes the answer.
var errSink = errors.New("the answer is not taken")
