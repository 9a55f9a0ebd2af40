package journal

import (
	"fmt"
	"sync"
	"time"

	"kith/event"
	"kith/journal/faultfs"
)

const (
	defaultMinFree = 512 << 20
	spaceEvery     = time.Second // between two looks at the disk
	spaceBytes     = 16 << 20    // or so many bytes written
)

// space is the watermark: it refuses appends before the disk is full, so that the journal never meets a full disk.
// It looks only when something is appended.
type space struct {
	volume faultfs.Volume
	dir    string
	min    int64 // as in FileOptions.MinFree
	now    func() time.Time

	mu      sync.Mutex
	looked  time.Time
	written int64 // since the last look
	low     error
}

// check returns an Unavailable error while the disk is nearly full.
func (s *space) check() error {
	if s.min < 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	since := now.Sub(s.looked)
	if !s.looked.IsZero() && since >= 0 && since < spaceEvery && s.written < spaceBytes {
		return s.low
	}
	free, total, err := s.volume.Free(s.dir)
	if err != nil {
		return &event.Error{Code: event.Unavailable, Message: "the journal's disk does not tell its free space", Err: err}
	}
	s.looked, s.written, s.low = now, 0, nil
	floor := s.min
	if floor == 0 {
		floor = max(defaultMinFree, total/100)
	}
	if free < floor {
		s.low = &event.Error{
			Code: event.Unavailable,
			Message: fmt.Sprintf("disk nearly full: %d MB free under %s, events are taken from %d MB on",
				free>>20, s.dir, (floor+1<<20-1)>>20),
			Hint: "free some space; no restart is needed",
		}
	}
	return s.low
}

// wrote counts what was written.
func (s *space) wrote(n int) {
	s.mu.Lock()
	s.written += int64(n)
	s.mu.Unlock()
}
