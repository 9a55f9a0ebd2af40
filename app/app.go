// Package app puts a process together. It is the only package that knows all stages, and it decides nothing but which
// parts there are, in which order they start, and which role runs which.
package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kith/collect"
	"kith/govern"
	"kith/internal/duck"
	"kith/internal/lifecycle"
	"kith/journal"
	"kith/serve"
	"kith/source"
)

// partition is the one partition that the file backend has in this process.
const partition = 0

// run lives until ctx ends and calls ready when the next part may start.
type run = func(ctx context.Context, ready func()) error

// roles says which parts a process runs, in the order of starting; they stop in reverse.
func roles() map[string]string {
	return map[string]string{
		"single":    "watch process socket http", // the server
		"collector": "watch socket http",         // takes events and keeps them; a later start carries them on
		"local":     "process socket",            // a command that opened the folder itself
	}
}

func parts(a *App) map[string]run {
	return map[string]run{"watch": a.watch, "process": a.process, "socket": a.socket, "http": a.http}
}

// App is one process with its data folder open. Several can live in one, so nothing is kept outside of it.
type App struct {
	config  Config
	log     *slog.Logger
	started time.Time
	version string
	program string // what runs query processes: this binary
	grace   time.Duration
	group   lifecycle.Group
	up      chan struct{} // closed when every part has started
	url     chan string

	folder    *Folder
	control   *sql.DB
	sources   *source.Store
	policy    *govern.Policy
	journal   *journal.File
	writer    *journal.Writer
	kept      kept
	collector *collect.Collector
	pool      *duck.Pool
	metrics   *prometheus.Registry
	handler   http.Handler
	closers   []func() error // in order of opening
}

// Option changes what Open takes from its surroundings.
type Option func(*App)

// WithLog makes the process log to l.
func WithLog(l *slog.Logger) Option { return func(a *App) { a.log = l } }

// WithVersion names the version in the API.
func WithVersion(v string) Option { return func(a *App) { a.version = v } }

// WithProgram names the binary that has the command duck-worker, where that is not this process's own.
func WithProgram(path string) Option { return func(a *App) { a.program = path } }

// WithGrace is how long requests may take to end when the process is told to; 10 seconds if it is not given.
func WithGrace(d time.Duration) Option { return func(a *App) { a.grace = d } }

// Open takes the data folder and opens every store in it; nothing runs yet. The error names what does not open; then
// nothing stays open.
func Open(ctx context.Context, c Config, options ...Option) (_ *App, err error) {
	a := &App{config: c, started: time.Now(), version: "dev", grace: 10 * time.Second, up: make(chan struct{}), url: make(chan string, 1), metrics: prometheus.NewRegistry()}
	a.log = newLog(c.Log)
	if a.program, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	for _, option := range options {
		option(a)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	for _, open := range []func(context.Context) error{a.openFolder, a.openControl, a.openJournal, a.openStores, a.openDoors} {
		if err := open(ctx); err != nil {
			return a, err
		}
	}
	a.group = lifecycle.Group{Grace: 30 * time.Second, Log: a.log}
	all := parts(a)
	for _, name := range strings.Fields(roles()[c.Role]) {
		a.group.Parts = append(a.group.Parts, lifecycle.Part{Name: name, Run: all[name]})
	}
	a.group.Parts = append(a.group.Parts, lifecycle.Part{Name: "ready", Run: func(ctx context.Context, ready func()) error {
		close(a.up)
		ready()
		<-ctx.Done()
		return nil
	}})
	return a, nil
}

// Run runs the process until ctx ends, and closes everything.
func (a *App) Run(ctx context.Context) error {
	err := a.group.Run(ctx)
	return errors.Join(err, a.close())
}

// Started is closed when every part has started.
func (a *App) Started() <-chan struct{} { return a.up }

// URL waits for the address that HTTP is served on; only after Started.
func (a *App) URL() string { return <-a.url }

// SetupURL returns the one-time link that makes the first administrator, if there is none yet.
func (a *App) SetupURL(base string) (string, bool) {
	token, needed := a.policy.SetupToken()
	return base + "/#setup=" + token, needed
}

func (a *App) close() (err error) {
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}

func (a *App) closes(fn func() error) { a.closers = append(a.closers, fn) }

func newLog(c LogConfig) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked when the configuration was read
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// watch ends the process some time after the journal has failed; until then it answers queries and says why it takes no
// events.
func (a *App) watch(ctx context.Context, ready func()) error {
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-a.journal.Failed():
	}
	a.log.Error("the journal has failed; this process takes no more events", "err", a.journal.Poisoned(), "ends in", lastWords)
	return linger(ctx, fmt.Errorf("the journal has failed: %w", a.journal.Poisoned()))
}

// lastWords is how long a process that cannot do its work any more says so, before it ends for a supervisor to start it
// anew.
const lastWords = 30 * time.Second

// linger returns err after lastWords, or when the process is stopped.
func linger(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
	case <-time.After(lastWords):
	}
	return err
}

// socket serves commands on this machine.
func (a *App) socket(ctx context.Context, ready func()) error {
	listener, err := listenLocal(a.folder.path)
	if err != nil {
		return err
	}
	server := serve.NewServer(a.handler, a.log)
	server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return govern.TrustLocal(ctx) }
	var commands visitors
	server.ConnState = commands.note
	return a.serveUntil(ctx, ready, server, listener, func(ctx context.Context) error { return commands.leave(ctx, server, a.folder.path) })
}

// http serves everything else. It starts last and stops first, when every request is answered.
func (a *App) http(ctx context.Context, ready func()) error {
	c := a.config.HTTP
	if err := serve.CheckListen(c.Listen, c.TLSCert != "", c.Insecure); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	a.url <- scheme + "://" + listener.Addr().String()
	return a.serveUntil(ctx, ready, serve.NewServer(a.handler, a.log), listener, nil)
}

// serveUntil serves until ctx ends and every request is answered. leave, which the socket has, is called before the
// server shuts down.
func (a *App) serveUntil(ctx context.Context, ready func(), server *http.Server, listener net.Listener, leave func(context.Context) error) error {
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.grace)
		defer cancel()
		if leave != nil {
			if err := leave(grace); err != nil {
				a.log.Debug("requests did not end by themselves", "err", err)
			}
		}
		err := server.Shutdown(grace)
		if err != nil {
			err = server.Close()
		}
		drained <- err
	})
	defer stop()
	ready()
	serving := server.Serve
	if _, local := listener.(*net.UnixListener); !local && a.config.HTTP.TLSCert != "" {
		serving = func(l net.Listener) error { return server.ServeTLS(l, a.config.HTTP.TLSCert, a.config.HTTP.TLSKey) }
	}
	if err := serving(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	return <-drained
}
