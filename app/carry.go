package app

import (
	"context"
	"sync"
	"time"

	"kith/event"
)

// kept holds the stores that are in use. When they fail, what they have stored stays readable until others take their
// place.
type kept struct {
	mu    sync.Mutex
	now   *stores
	why   error // why no event goes to the lake; nil while they do
	since time.Time
}

// get returns the stores, or event.Unavailable before they could be opened.
func (k *kept) get() (*stores, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil {
		return nil, &event.Error{Code: event.Unavailable, Message: "the lake is not open", Hint: "the log of the server says why; events are taken meanwhile", Err: k.why}
	}
	return k.now, nil
}

// failing returns why and since when no event goes to the lake.
func (k *kept) failing() (since time.Time, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.since, k.why
}

func (k *kept) trouble(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.why == nil {
		k.since = time.Now()
	}
	k.why = err
}

// put takes new stores into use and closes the old.
func (k *kept) put(fresh *stores) error {
	k.mu.Lock()
	old := k.now
	k.now, k.why = fresh, nil
	k.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.close()
}

func (k *kept) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil {
		return nil
	}
	return k.now.close()
}

// The pauses before the stores are opened anew: doubled after each failure, short again after a minute of work.
const (
	shortestPause = time.Second
	longestPause  = time.Minute
)

// process carries events from the journal to the lake. When that fails, for the lake's disk is full or gone, events are
// still taken and what is stored can be asked for; the stores are opened anew until they work. Whoever lost the folder to
// another writer does not fight for it: then the process ends.
func (a *App) process(ctx context.Context, ready func()) error {
	ready = sync.OnceFunc(ready)
	pause := shortestPause
	for {
		began := time.Now()
		err := a.carry(ctx, ready)
		if ctx.Err() != nil {
			return err
		}
		a.kept.trouble(err)
		a.log.Error("no event goes to the lake; it is tried again", "err", err, "in", pause)
		if event.CodeOf(err) == event.Conflict {
			return linger(ctx, err)
		}
		if time.Since(began) > longestPause {
			pause = shortestPause
		}
		ready() // the doors do their work without it
		if err := a.reopen(ctx, &pause); err != nil {
			return err
		}
	}
}

func (a *App) carry(ctx context.Context, ready func()) error {
	s, err := a.kept.get()
	if err != nil {
		return err
	}
	return s.processor.Run(ctx, ready)
}

// reopen opens the stores anew, after a pause, until that works.
func (a *App) reopen(ctx context.Context, pause *time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(*pause):
		}
		*pause = min(2**pause, longestPause)
		if s, err := a.kept.get(); err == nil {
			s.letGo()
		}
		fresh, err := a.storesIn(ctx, a.folder.Path)
		if err != nil {
			a.kept.trouble(err)
			a.log.Warn("the lake does not open yet", "err", err, "again in", *pause)
			continue
		}
		a.log.Info("events go to the lake again", "from", fresh.lake.Checkpoint().Next)
		if err := a.kept.put(fresh); err != nil {
			a.log.Debug("the stores that failed", "err", err)
		}
		return nil
	}
}
