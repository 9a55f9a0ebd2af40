package dedupe

// A cache keeps the summaries that were asked for last, within a fixed memory. Summaries are read and not mapped: a
// failing disk is then an error and not the end of the process, and each is checked when it comes in.
type cache struct {
	pages []byte
	room  int // bytes a slot
	slots []slot
	hand  int // of the clock that looks for a slot to take
}

type slot struct {
	summary
	owner *section // whose summary it is; nil is free
	used  bool     // since the hand came by
}

func newCache(size int, s shape) (*cache, error) {
	c := &cache{room: summaryRoom(s)}
	n := max(size/c.room, 8)
	pages, err := newPages(n * c.room)
	if err != nil {
		return nil, err
	}
	c.pages, c.slots = pages, make([]slot, n)
	return c, nil
}

// summary implements summaries. The result is good until the next call.
func (c *cache) summary(r *run, i int) (*summary, error) {
	sec := &r.sections[i]
	if sec.slot != 0 {
		s := &c.slots[sec.slot-1]
		s.used = true
		return &s.summary, nil
	}
	n := c.take()
	m, err := r.readSummary(i, c.pages[n*c.room:][:c.room])
	if err != nil {
		return nil, err
	}
	c.slots[n] = slot{m, sec, true}
	sec.slot = int32(n + 1)
	return &c.slots[n].summary, nil
}

// take empties the slot that was not used for longest, more or less.
func (c *cache) take() int {
	for {
		n := c.hand
		c.hand = (c.hand + 1) % len(c.slots)
		s := &c.slots[n]
		if s.used {
			s.used = false
			continue
		}
		if s.owner != nil {
			s.owner.slot = 0
		}
		*s = slot{}
		return n
	}
}

// forget frees the slots of a run that is looked into no more.
func (c *cache) forget(r *run) {
	for i := range r.sections {
		if s := &r.sections[i]; s.slot != 0 {
			c.slots[s.slot-1] = slot{}
			s.slot = 0
		}
	}
}

func (c *cache) free() {
	if c != nil {
		freePages(c.pages)
		*c = cache{}
	}
}

// A reader gives summaries to one look-up outside the cache.
type reader struct {
	summaryNow summary
	room       []byte
}

func (d *reader) summary(r *run, i int) (_ *summary, err error) {
	if need := int(r.sections[i].summary); cap(d.room) < need {
		d.room = make([]byte, need)
	}
	d.summaryNow, err = r.readSummary(i, d.room[:cap(d.room)])
	return &d.summaryNow, err
}
