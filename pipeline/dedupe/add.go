package dedupe

import "kith/event"

// Add remembers that the event of number seq has this key, unless the key was seen before, and returns the number it
// was seen with first. An event is no duplicate of itself: after a crash it is processed again with the number it has.
//
// Add waits for the disk only if ids come faster than full tables can be written. On a poisoned index it answers that
// nothing is a duplicate; see Err.
func (x *Index) Add(k Key, seq event.Seq) (first event.Seq, duplicate bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return seq, false
	}
	q := x.secret.query(k, &x.scratch)
	found, ok, err := x.seen(&q)
	if err == nil && !ok {
		err = x.remember(entry{q.at, uint64(seq)})
	}
	if err != nil {
		x.fail(err)
		return seq, false
	}
	if !ok {
		return seq, false
	}
	return event.Seq(found), event.Seq(found) < seq
}

// seen looks where an id may be, newest first.
func (x *Index) seen(q *query) (seq uint64, ok bool, err error) {
	for _, s := range q.spans[:q.n] {
		hash := s.lower().hash()
		if seq, ok := x.active.find(s, hash); ok {
			return seq, true, nil
		}
		if x.frozen != nil {
			if seq, ok := x.frozen.find(s, hash); ok {
				return seq, true, nil
			}
		}
		for _, r := range x.runs {
			if seq, ok, err := r.find(s, hash, x.filters, &x.blockRoom); ok || err != nil {
				return seq, ok, err
			}
		}
	}
	return 0, false, nil
}

// remember puts an entry that was not seen into the active table and its log.
func (x *Index) remember(e entry) error {
	if x.active.full() {
		if err := x.freeze(); err != nil {
			return err
		}
	}
	if err := x.active.add(e); err != nil {
		return err
	}
	return x.log.add(e)
}

// Find returns the number an id was first seen with, as Add would, and remembers nothing. If the disk fails it, the
// index is poisoned and the answer is void; Lookup says so at once.
func (x *Index) Find(k Key) (event.Seq, bool) {
	seq, ok, err := x.Lookup(k)
	if err != nil {
		x.mu.Lock()
		x.fail(err)
		x.mu.Unlock()
	}
	return seq, ok
}

// Lookup returns the number an id was first seen with. It holds up Add only while it looks into memory. A damaged
// file is an Error of code Corrupt.
func (x *Index) Lookup(k Key) (event.Seq, bool, error) {
	var scratch []byte
	q := x.secret.query(k, &scratch)
	seq, ok, runs, err := x.lookInTables(&q)
	defer releaseAll(runs)
	if ok || err != nil {
		return event.Seq(seq), ok, err
	}
	var from reader
	var room []byte
	for _, s := range q.spans[:q.n] {
		for _, r := range runs {
			if seq, ok, err := r.find(s, s.lower().hash(), &from, &room); ok || err != nil {
				return event.Seq(seq), ok, err
			}
		}
	}
	return 0, false, nil
}

// lookInTables looks into memory, and returns the runs of this moment for the caller to look into and to release.
func (x *Index) lookInTables(q *query) (seq uint64, ok bool, runs []*run, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return 0, false, nil, x.err
	}
	for _, s := range q.spans[:q.n] {
		for _, t := range []*table{x.active, x.frozen} {
			if t == nil {
				continue
			}
			if seq, ok := t.find(s, s.lower().hash()); ok {
				return seq, true, nil, nil
			}
		}
	}
	return 0, false, x.retainRuns(), nil
}

func (x *Index) retainRuns() []*run {
	for _, r := range x.runs {
		r.retain()
	}
	return x.runs
}

func releaseAll(runs []*run) {
	for _, r := range runs {
		r.release()
	}
}
