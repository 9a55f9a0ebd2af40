package dedupe

// Flush writes what is buffered to the log and returns the mark of this moment, some hundred bytes, for Open. The mark
// may go into a checkpoint once Sync has returned.
func (x *Index) Flush() (mark []byte, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return nil, x.err
	}
	if err := x.log.flush(); err != nil {
		x.fail(err)
		return nil, x.err
	}
	x.flushes++
	x.covered = x.covered[:0:0]
	if x.frozen != nil {
		x.covered = append(x.covered, x.frozLog)
	}
	x.covered = append(x.covered, x.log)
	return x.markNow().bytes(), nil
}

func (x *Index) markNow() mark {
	m := mark{number: x.flushes, secret: x.secret.check(), next: x.nextID}
	for _, l := range x.covered {
		m.logs = append(m.logs, markLog{l.id, l.size})
	}
	for _, r := range x.runs {
		m.runs = append(m.runs, r.markRun)
	}
	return m
}

// Sync makes all that the last Flush covers durable. Runs are so before a mark lists them; it is the logs and their
// names that are left.
func (x *Index) Sync() error {
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	err, logs, names := x.err, x.covered, x.newFiles
	sizes := make([]int64, len(logs))
	for i, l := range logs {
		sizes[i] = l.size
	}
	x.newFiles = false
	x.mu.Unlock()
	if err != nil {
		return err
	}
	for i, l := range logs {
		if err == nil && l.synced < sizes[i] {
			err = l.folder.sync(l.f, l.name())
			l.synced = sizes[i]
		}
	}
	if err == nil && names {
		err = x.folder.syncNames()
	}
	if err != nil { // what a failed fsync leaves behind is unknown, and a second one would not say
		x.mu.Lock()
		defer x.mu.Unlock()
		x.fail(err)
		return x.err
	}
	return nil
}

// Committed says that mark is in a durable checkpoint: Open will never be called with an older one. Files that only
// older marks list are removed. A file that cannot be removed is tried again with the next call, and by Open.
func (x *Index) Committed(mark []byte) {
	m, err := parseMark(mark)
	if err != nil || mark == nil {
		return
	}
	x.syncing.Lock()
	defer x.syncing.Unlock()
	x.mu.Lock()
	var remove, keep []leftover
	for _, f := range x.obsolete {
		if f.last < m.number {
			remove = append(remove, f)
		} else {
			keep = append(keep, f)
		}
	}
	x.obsolete = keep
	x.mu.Unlock()
	for _, f := range remove {
		f.log.close()
		f.log = nil
		if err := x.folder.remove(f.name); err != nil {
			x.mu.Lock()
			x.obsolete = append(x.obsolete, f)
			x.mu.Unlock()
		}
	}
}
