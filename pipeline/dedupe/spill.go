package dedupe

import "slices"

// freeze sets the full active table aside to be spilled and starts an empty one. It waits while the table before it is
// still being spilled, or runs are being merged more slowly than they are made. The caller holds mu.
func (x *Index) freeze() error {
	for x.err == nil && (x.frozen != nil || len(x.runs) >= maxRuns) {
		x.changed.Wait()
	}
	if x.err != nil {
		return x.err
	}
	if err := x.log.flush(); err != nil {
		return err
	}
	next, err := newTable(x.o.TableIDs, len(x.active.slots))
	if err != nil {
		return err
	}
	x.frozen, x.frozLog, x.active = x.active, x.log, next
	if err := x.newLog(); err != nil {
		return err
	}
	x.startSpill()
	return nil
}

// startSpill writes the frozen table as a run in the background. The caller holds mu.
func (x *Index) startSpill() {
	t, id := x.frozen, x.newID()
	x.working.Go(func() {
		r, err := x.writeTable(t, id)
		x.mu.Lock()
		defer x.mu.Unlock()
		if err != nil || x.err != nil {
			if r != nil {
				r.release()
			}
			x.fail(err)
			return
		}
		x.runs = append(slices.Clone(x.runs), r)
		x.obsolete = append(x.obsolete, leftover{x.frozLog.name(), x.frozLog, x.flushes})
		x.frozen, x.frozLog = nil, nil
		t.free()
		x.changed.Broadcast()
		x.startMerge()
	})
}

// writeTable writes a table that nobody changes.
func (x *Index) writeTable(t *table, id uint64) (r *run, err error) {
	room, pages, err := newEntries(2 * t.n)
	if err != nil {
		return nil, err
	}
	defer freePages(pages)
	entries := sorted(t.entries(room[:0:t.n]), room[t.n:])
	w, err := newRunWriter(x.folder, id, x.o.shape)
	if err != nil {
		return nil, err
	}
	defer func() { w.close(err) }()
	for _, e := range entries {
		if _, err := w.add(e); err != nil {
			return nil, err
		}
	}
	return w.finish()
}
