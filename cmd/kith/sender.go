package main

import (
	"bytes"
	"context"
	"sync"
	"time"
)

const (
	batchEvents = 2000
	batchBytes  = 2 << 20
	retryFor    = time.Minute
)

// sender sends events as NDJSON batches to the native door, two at a time. A batch that the server could not take now
// is sent again until retryFor has passed.
type sender struct {
	ctx     context.Context
	client  *client
	path    string
	batch   *bytes.Buffer
	count   int
	batches chan *bytes.Buffer
	free    sync.Pool
	workers sync.WaitGroup

	mu   sync.Mutex
	fail error
}

func newSender(ctx context.Context, c *client, path string) *sender {
	s := &sender{ctx: ctx, client: c, path: path, batches: make(chan *bytes.Buffer, 1)}
	s.free.New = func() any { return new(bytes.Buffer) }
	s.batch = s.free.Get().(*bytes.Buffer)
	for range 2 {
		s.workers.Go(func() {
			for b := range s.batches {
				if s.failed() == nil {
					s.failedWith(s.send(b.Bytes()))
				}
				b.Reset()
				s.free.Put(b)
			}
		})
	}
	return s
}

// add takes one event; its error is that of an earlier batch.
func (s *sender) add(event []byte) error {
	s.batch.Write(event)
	s.batch.WriteByte('\n')
	if s.count++; s.count < batchEvents && s.batch.Len() < batchBytes {
		return nil
	}
	return s.flush()
}

func (s *sender) flush() error {
	if s.count > 0 {
		s.batches <- s.batch
		s.batch, s.count = s.free.Get().(*bytes.Buffer), 0
	}
	return s.failed()
}

// close sends what is left and waits until all of it is durable.
func (s *sender) close() error {
	err := s.flush()
	close(s.batches)
	s.workers.Wait()
	if err == nil {
		err = s.failed()
	}
	return err
}

func (s *sender) send(batch []byte) error {
	return sendEvents(s.ctx, s.client, s.path, "application/x-ndjson", batch)
}

// sendEvents posts a body of events until the server takes it, refuses it, or could not take it for retryFor.
func sendEvents(ctx context.Context, c *client, path, contentType string, body []byte) error {
	pause := 100 * time.Millisecond
	for began := time.Now(); ; pause = min(2*pause, 5*time.Second) {
		resp, err := c.do(ctx, "POST", path, bytes.NewReader(body), contentType)
		if err == nil {
			return resp.Body.Close()
		}
		if !retryable(err) || ctx.Err() != nil || time.Since(began) > retryFor {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *sender) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}

func (s *sender) failedWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.fail = err
	}
}
