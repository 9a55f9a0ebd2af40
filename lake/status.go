package lake

import (
	"time"

	"kith/event"
)

// Status is how a lake is doing.
type Status struct {
	Next       event.Seq // every event below it can be read
	Committed  event.Seq // every event below it is in the Iceberg table
	Snapshot   int64
	Rows       int64 // that can be read
	HotRows    int64 // of them, not in the table yet
	HotFiles   int
	Refused    int64     // lines in quarantine
	LastCommit time.Time // of this opening; zero if there was none
	Failing    *Failure  // not nil while commits fail
	Err        error     // why the lake stopped; nil while it works
}

// Status returns how the lake is doing. It never waits for work that is under way.
func (l *Lake) Status() Status {
	rows, files := l.hotSize()
	l.mu.Lock()
	s := Status{Next: l.saved.Next, Committed: l.current.upto, Snapshot: l.snapshot, Rows: l.current.view.Rows,
		HotRows: rows, HotFiles: files, Refused: l.refused, Err: l.err}
	l.mu.Unlock()
	l.commit.mu.Lock()
	defer l.commit.mu.Unlock()
	s.LastCommit, s.Failing = l.commit.last, l.commit.failing
	return s
}
