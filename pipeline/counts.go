package pipeline

import "sync/atomic"

type counts struct {
	lines, control, quarantined, duplicates, rows, flushes atomic.Int64
}

// Counts says what became of the lines carried since the process started. Lines = Control + Quarantined +
// Duplicates + Rows: every line is in exactly one of them.
type Counts struct {
	Lines       int64 `json:"lines"`
	Control     int64 `json:"control"`
	Quarantined int64 `json:"quarantined"`
	Duplicates  int64 `json:"duplicates"`
	Rows        int64 `json:"rows"`
	Flushes     int64 `json:"flushes"`
}

// Counts returns them as they are now.
func (p *Processor) Counts() Counts {
	c := &p.counts
	return Counts{c.lines.Load(), c.control.Load(), c.quarantined.Load(), c.duplicates.Load(), c.rows.Load(), c.flushes.Load()}
}
