package dedupe

import (
	"math/bits"
	"slices"
)

// tier is the size class of a run: one of n tables' entries is of class log(n) to the base of the fan.
func (x *Index) tier(r *run) int {
	n := uint64(r.entries) / uint64(max(x.o.TableIDs/2, 1)) // half a table: what merged repeats is not set back
	return (bits.Len64(max(n, 1)) - 1) / (bits.Len(uint(x.o.shape.fan)) - 1)
}

// plan chooses the runs to merge: of the lowest tier that is full and lies below the given one, the smallest.
// The caller holds mu.
func (x *Index) plan(below int) []*run {
	var tiers [64][]*run
	for _, r := range x.runs {
		t := x.tier(r)
		tiers[t] = append(tiers[t], r)
	}
	for t, runs := range tiers {
		if t < below && len(runs) >= x.o.shape.fan {
			slices.SortStableFunc(runs, func(a, b *run) int { return int(min(max(a.entries-b.entries, -1), 1)) })
			return runs[:x.o.shape.fan]
		}
	}
	return nil
}

// startMerge merges in the background whatever there is to merge, in one goroutine. The caller holds mu.
func (x *Index) startMerge() {
	if x.merging || x.err != nil || x.plan(64) == nil {
		return
	}
	x.merging = true
	x.working.Go(func() {
		err := x.mergeBelow(64)
		x.mu.Lock()
		defer x.mu.Unlock()
		x.merging = false
		if err != nil {
			x.fail(err)
		} else {
			x.startMerge() // a spill may have ended since the last look
		}
	})
}

// mergeBelow merges full tiers below the given one until there is none. A merge of large runs calls it after every
// section, so that small runs, which come quickly, never wait for it.
func (x *Index) mergeBelow(tier int) error {
	for {
		x.mu.Lock()
		err, runs := x.err, x.plan(tier)
		if err != nil || runs == nil {
			x.mu.Unlock()
			return err
		}
		id := x.newID()
		for _, r := range runs {
			r.retain()
		}
		x.mu.Unlock()
		err = x.merge(runs, id)
		releaseAll(runs)
		if err != nil {
			return err
		}
	}
}

// merge writes the runs as one and puts it in their place.
func (x *Index) merge(runs []*run, id uint64) (err error) {
	merged, err := x.writeMerged(runs, id)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		merged.release()
		return x.err
	}
	left := slices.DeleteFunc(slices.Clone(x.runs), func(r *run) bool { return slices.Contains(runs, r) })
	x.runs = append(left, merged)
	for _, r := range runs {
		x.filters.forget(r)
		x.obsolete = append(x.obsolete, leftover{name: r.name(), last: x.flushes})
		r.release()
	}
	x.changed.Broadcast()
	return nil
}

func (x *Index) writeMerged(runs []*run, id uint64) (r *run, err error) {
	tier := x.tier(runs[0])
	w, err := newRunWriter(x.folder, id, x.o.shape)
	if err != nil {
		return nil, err
	}
	defer func() { w.close(err) }()
	m, err := newMerger(runs)
	if err != nil {
		return nil, err
	}
	for {
		e, ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return w.finish()
		}
		wrote, err := w.add(e)
		if err == nil && wrote {
			err = x.mergeBelow(tier)
		}
		if err != nil {
			return nil, err
		}
	}
}

// A merger gives the entries of several runs in order. Runs have no key in common: a key that one holds is not added
// again.
type merger struct {
	cursors []*cursor // each at an entry
}

func newMerger(runs []*run) (*merger, error) {
	m := &merger{}
	for _, r := range runs {
		c := &cursor{r: r}
		if ok, err := c.next(); err != nil {
			return nil, err
		} else if ok {
			m.cursors = append(m.cursors, c)
		}
	}
	return m, nil
}

func (m *merger) next() (e entry, ok bool, err error) {
	if len(m.cursors) == 0 {
		return entry{}, false, nil
	}
	least := 0
	for i := 1; i < len(m.cursors); i++ {
		if m.cursors[i].entry.less(m.cursors[least].entry.key) {
			least = i
		}
	}
	c := m.cursors[least]
	e = c.entry
	if ok, err = c.next(); err != nil {
		return entry{}, false, err
	}
	if !ok {
		m.cursors = slices.Delete(m.cursors, least, least+1)
	}
	return e, true, nil
}
