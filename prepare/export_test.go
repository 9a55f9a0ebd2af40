package prepare

import "kith/event"

// Read is the first stage of Line alone, for benchmarks.
func (p *Preparer) Read(line []byte, e *event.Event) { p.read(line, e) }
