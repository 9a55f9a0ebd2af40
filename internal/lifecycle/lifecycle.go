// Package lifecycle starts the parts of a process in order and stops them in reverse.
//
//	New → Starting → Ready → Stopping → Stopped
//
// A part that ends before it is told to takes the process to Stopping.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Part is something that lives. Run calls ready when the next part may start, works until ctx ends, cleans up, and
// returns why it ended; the context's own error is a good end.
type Part struct {
	Name string
	Run  func(ctx context.Context, ready func()) error
}

// Group is the parts of one process. It runs once.
type Group struct {
	Parts []Part
	Grace time.Duration // how long each part may take to stop
	Log   *slog.Logger
	ready atomic.Bool
}

// Ready reports whether every part has started and none is told to stop.
func (g *Group) Ready() bool { return g.ready.Load() }

// Run starts every part, waits for ctx to end or a part to fail, and stops all. Its error has every failure.
func (g *Group) Run(ctx context.Context) (err error) {
	ended := make(chan struct{}, len(g.Parts))
	for _, part := range g.Parts {
		running := start(ctx, part, ended)
		defer func() { err = errors.Join(err, running.stop(g.Grace, g.Log)) }()
		select {
		case <-running.ready:
			continue
		case <-ended:
		case <-ctx.Done():
		}
		return nil
	}
	g.ready.Store(true)
	defer g.ready.Store(false)
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// running is one part that has been started. It has a context of its own, so that parts stop one by one.
type running struct {
	name   string
	cancel context.CancelFunc
	ready  chan struct{}
	done   chan error
}

func start(ctx context.Context, part Part, ended chan<- struct{}) *running {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{part.Name, cancel, make(chan struct{}, 1), make(chan error, 1)}
	go func() {
		err := part.Run(own, func() { r.ready <- struct{}{} })
		if own.Err() == nil && err == nil {
			err = errors.New("ended by itself")
		}
		r.done <- err
		ended <- struct{}{}
	}()
	return r
}

func (r *running) stop(grace time.Duration, log *slog.Logger) error {
	began := time.Now()
	r.cancel()
	select {
	case err := <-r.done:
		log.Debug("part stopped", "part", r.name, "after", time.Since(began))
		if err == nil || errors.Is(err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("%s: %w", r.name, err)
	case <-time.After(grace):
		return fmt.Errorf("%s: did not stop within %s", r.name, grace)
	}
}
