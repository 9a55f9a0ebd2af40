package duck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kith/event"
)

// Session is a child lent for one query: it is parsed, judged by the caller, and run. Close gives it back.
type Session struct {
	pool  *Pool
	child *child // nil once it is closed or gone
}

// Folder makes a folder that the child may read, for what the caller wants to show it. Close removes it.
func (s *Session) Folder() (string, error) {
	if s.child == nil {
		return "", errGone()
	}
	folder := filepath.Join(s.child.folder, "given")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for a query: %w", err)
	}
	return folder, nil
}

func errGone() error {
	return event.Errorf(event.Unavailable, "the process that ran the query has ended").WithHint("try again")
}

// PID is the child's process number.
func (s *Session) PID() int { return s.child.cmd.Process.Pid }

// Close gives the child back to the pool.
func (s *Session) Close() {
	if s.child == nil {
		return
	}
	c := s.child
	s.child = nil
	if err := os.RemoveAll(filepath.Join(c.folder, "given")); err != nil {
		s.pool.o.Log.Warn("a query process's folder cannot be emptied", "error", err)
	}
	s.pool.give(c)
}

// Parse returns the syntax tree of text as DuckDB's json_serialize_sql writes it, errors of syntax included.
func (s *Session) Parse(ctx context.Context, text string) (json.RawMessage, error) {
	var tree json.RawMessage
	err := s.ask(ctx, frameParse, []byte(text), func(kind frameKind, payload []byte) (bool, error) {
		if kind != frameTree {
			return false, fmt.Errorf("frame %q in the answer to a parse", kind)
		}
		tree = append(tree, payload...)
		return true, nil
	})
	return tree, err
}

// Run runs job and hands its answer to sink, piece by piece. A deadline or a cancel of ctx stops it: at once where
// DuckDB notices, else by a kill after the grace. The error then is the cause of ctx, if that is an *event.Error.
// A *Failure is in the chain of what DuckDB or a limit refused.
func (s *Session) Run(ctx context.Context, job Job, sink Sink) (Done, error) {
	payload, err := json.Marshal(job)
	if err != nil {
		return Done{}, fmt.Errorf("encode a job: %w", err)
	}
	if s.child == nil {
		return Done{}, errGone()
	}
	c := s.child
	c.resetPeak()
	var done Done
	err = s.ask(ctx, frameRun, payload, func(kind frameKind, payload []byte) (bool, error) {
		switch kind {
		case frameColumns:
			var columns []Column
			if err := json.Unmarshal(payload, &columns); err != nil {
				return false, fmt.Errorf("decode columns: %w", err)
			}
			return false, taken(sink.Columns(columns))
		case frameData:
			_, err := sink.Write(payload)
			return false, taken(err)
		case frameDone:
			var message doneMessage
			if err := json.Unmarshal(payload, &message); err != nil {
				return false, fmt.Errorf("decode the end of an answer: %w", err)
			}
			done = Done{Rows: message.Rows, Bytes: message.Bytes, Elapsed: time.Duration(message.Micros) * time.Microsecond, Peak: c.peak()}
			return true, nil
		}
		return false, fmt.Errorf("frame %q in an answer", kind)
	})
	return done, err
}

func taken(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errSink, err)
}

// ask sends one request and gives each frame of the answer to take, until that says it was the last. A child that
// answers out of order, or whose answer is not taken to its end, is not used again.
func (s *Session) ask(ctx context.Context, kind frameKind, payload []byte, take func(frameKind, []byte) (last bool, err error)) error {
	if s.child == nil {
		return errGone()
	}
	if ctx.Err() != nil {
		return stopReason(ctx)
	}
	if err := s.child.send(kind, payload); err != nil {
		return s.lost(ctx, err)
	}
	release := s.guard(ctx)
	defer release()
	for {
		kind, payload, err := s.child.receive()
		if err != nil {
			return s.lost(ctx, err)
		}
		if kind == frameError {
			return s.failed(ctx, payload)
		}
		last, err := take(kind, payload)
		if err != nil {
			return s.lost(ctx, err)
		}
		if last {
			return nil
		}
	}
}

// guard stops the running request when ctx ends, and kills the child when that does not help in time. The function
// that it returns lifts the guard, and waits until nobody touches the child from here any more.
func (s *Session) guard(ctx context.Context) func() {
	c, number := s.child, s.child.number
	var mu sync.Mutex
	var lifted bool
	var kill *time.Timer
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if lifted {
			return
		}
		kill = time.AfterFunc(s.pool.o.Grace, func() {
			mu.Lock()
			defer mu.Unlock()
			if !lifted {
				c.kill()
			}
		})
		if err := c.stop(number); err != nil {
			c.kill()
		}
	})
	return func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		lifted = true
		if kill != nil {
			kill.Stop()
		}
	}
}

// failed is the error that the child reported. The child goes on living unless it says otherwise.
func (s *Session) failed(ctx context.Context, payload []byte) error {
	f := &Failure{Position: -1}
	if err := json.Unmarshal(payload, f); err != nil {
		return s.lost(ctx, fmt.Errorf("decode an error: %w", err))
	}
	if f.Retire {
		s.discard()
	}
	if ctx.Err() != nil {
		return stopReason(ctx)
	}
	return f.Event()
}

// lost ends a child that cannot be used any more, and says why.
func (s *Session) lost(ctx context.Context, err error) error {
	c := s.discard()
	switch {
	case ctx.Err() != nil:
		return stopReason(ctx)
	case errors.Is(err, errSink):
		return err
	}
	gone := c.gone()
	s.pool.o.Log.Warn("a query process ended", "error", gone.Err, "reading", err)
	return gone
}

func (s *Session) discard() *child {
	c := s.child
	s.child = nil
	c.end()
	<-s.pool.slots
	return c
}

// stopReason is why ctx ended, as an error that a door can show.
func stopReason(ctx context.Context) error {
	cause := context.Cause(ctx)
	if e := (*event.Error)(nil); errors.As(cause, &e) {
		return e
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &event.Error{Code: event.TimedOut, Message: "the query was stopped at its deadline", Err: cause}
	}
	return &event.Error{Code: event.Canceled, Message: "the query was canceled", Err: cause}
}
