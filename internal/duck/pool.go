// Package duck runs DuckDB in child processes that are locked and can be killed: nothing else in the product links
// or calls it. A query sees only the files that it was given, cannot write them, and has limits of time, memory,
// rows and bytes; whatever it does to its process, the other queries do not notice.
package duck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"kith/event"
)

// Options are a pool's. Command, Folder and Read have no default.
type Options struct {
	Command      []string      // program and arguments of a child; it must call Main
	Folder       string        // for spilled data; the pool's alone, emptied when it starts
	Read         []string      // folders and files that children may read at all; absolute, and there already
	Children     int           // at most so many, each with one query at a time; 2
	Idle         time.Duration // an idle child ends after it; 30 s
	Memory       int64         // of a query, in bytes, as DuckDB counts; 1 GiB
	AddressSpace int64         // of a child, in bytes: what DuckDB does not count is bounded by it; Memory + 3 GiB
	Spill        int64         // of a query, in bytes on disk; 4 GiB
	Threads      int           // of a query; 2
	Grace        time.Duration // between a stop and the kill; 1 s
	Log          *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Command) == 0 || o.Folder == "" {
		return o, errors.New("a pool of query processes needs a command and a folder")
	}
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Memory, 1<<30)
	def(&o.AddressSpace, o.Memory+3<<30)
	def(&o.Spill, 4<<30)
	def((*int64)(&o.Idle), int64(30*time.Second))
	def((*int64)(&o.Grace), int64(time.Second))
	if o.Children <= 0 {
		o.Children = 2
	}
	if o.Threads <= 0 {
		o.Threads = 2
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.Folder, err = filepath.Abs(o.Folder); err != nil {
		return o, fmt.Errorf("find the spill folder: %w", err)
	}
	o.Folder, err = filepath.EvalSymlinks(o.Folder)
	return o, err
}

// Pool starts children when they are needed, keeps the idle ones for a while, and never runs more than it may.
type Pool struct {
	o      Options
	slots  chan struct{} // one for each child that works
	spawns chan spawnRequest
	closed chan struct{}
	ended  sync.WaitGroup

	mu      sync.Mutex
	idle    []*idleChild // the last one used is taken first
	stopped bool
	count   int    // of children ever started: their folders' names
	sandbox string // of the last child started
}

type idleChild struct {
	*child
	timer *time.Timer
}

type spawnRequest struct {
	folder string
	reply  chan spawned
}

type spawned struct {
	child *child
	err   error
}

// NewPool prepares a pool; no process is started before the first query.
func NewPool(o Options) (*Pool, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the spill folder: %w", err)
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	for _, path := range o.Read {
		if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) {
			return nil, fmt.Errorf("queries cannot be given %s to read: %w", path, errors.Join(err, errNotAbsolute(path)))
		}
	}
	left, err := filepath.Glob(filepath.Join(o.Folder, "child-*"))
	if err != nil {
		return nil, fmt.Errorf("look into the spill folder: %w", err)
	}
	for _, folder := range left {
		if err := os.RemoveAll(folder); err != nil {
			return nil, fmt.Errorf("empty the spill folder: %w", err)
		}
	}
	p := &Pool{o: o, slots: make(chan struct{}, o.Children), spawns: make(chan spawnRequest), closed: make(chan struct{})}
	p.ended.Go(p.parent)
	return p, nil
}

func errNotAbsolute(path string) error {
	if filepath.IsAbs(path) {
		return nil
	}
	return errors.New("the path is not absolute")
}

// parent starts all children from one thread that lives as long as the pool. The kernel kills a child when the
// thread that made it ends, not the process, and Go ends threads as it likes.
func (p *Pool) parent() {
	runtime.LockOSThread()
	for {
		select {
		case r := <-p.spawns:
			c, err := spawn(p.o, r.folder)
			r.reply <- spawned{c, err}
		case <-p.closed:
			p.drain()
			return // the thread ends with the goroutine: it was never unlocked
		}
	}
}

// drain waits until no child works. Their queries go on until then.
func (p *Pool) drain() {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}

// Sandbox says what confines the children: "landlock 6", or a warning. It is empty before the first one started.
func (p *Pool) Sandbox() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sandbox
}

// Close ends the idle children and waits for the queries that run; cancel them first where that must be quick.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return nil
	}
	p.stopped = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.timer.Stop()
		c.end()
	}
	close(p.closed)
	p.ended.Wait()
	return nil
}

// Session lends a child. It waits while all are at work; ctx bounds the waiting.
func (p *Pool) Session(ctx context.Context) (*Session, error) {
	select {
	case p.slots <- struct{}{}:
	case <-p.closed:
		return nil, errClosed()
	case <-ctx.Done():
		return nil, stopReason(ctx)
	}
	c, err := p.take(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return &Session{pool: p, child: c}, nil
}

func errClosed() error { return event.Errorf(event.Unavailable, "the server is stopping") }

// take returns an idle child that is alive, or a new one.
func (p *Pool) take(ctx context.Context) (*child, error) {
	for {
		p.mu.Lock()
		if p.stopped {
			p.mu.Unlock()
			return nil, errClosed()
		}
		if len(p.idle) == 0 {
			break
		}
		last := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		last.timer.Stop()
		if last.alive() {
			return last.child, nil
		}
		last.end() // somebody killed it
	}
	p.count++
	folder := filepath.Join(p.o.Folder, fmt.Sprintf("child-%d", p.count))
	p.mu.Unlock()
	return p.start(ctx, folder)
}

func (p *Pool) start(ctx context.Context, folder string) (*child, error) {
	reply := make(chan spawned, 1)
	select {
	case p.spawns <- spawnRequest{folder, reply}:
	case <-p.closed:
		return nil, errClosed()
	}
	got := <-reply
	if got.err != nil {
		return nil, got.err
	}
	stop := context.AfterFunc(ctx, got.child.kill)
	err := got.child.ready()
	stop()
	if err != nil && ctx.Err() != nil {
		return nil, stopReason(ctx)
	} else if err != nil {
		return nil, err
	}
	p.mu.Lock()
	first := p.sandbox == ""
	p.sandbox = got.child.sandbox
	p.mu.Unlock()
	if first && !strings.HasPrefix(got.child.sandbox, "landlock") {
		p.o.Log.Warn("query processes are not confined by the kernel", "sandbox", got.child.sandbox)
	}
	return got.child, nil
}

// give takes a child back and keeps it for a while.
func (p *Pool) give(c *child) {
	defer func() { <-p.slots }()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		c.end()
		return
	}
	kept := &idleChild{child: c}
	kept.timer = time.AfterFunc(p.o.Idle, func() { p.expire(kept) })
	p.idle = append(p.idle, kept)
}

func (p *Pool) expire(c *idleChild) {
	p.mu.Lock()
	for i, other := range p.idle {
		if other == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.ended.Add(1) // Close, which empties the list first, waits for it
			p.mu.Unlock()
			c.end()
			p.ended.Done()
			return
		}
	}
	p.mu.Unlock() // it was taken at the same moment
}
