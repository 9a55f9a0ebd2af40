package dedupe

// A cursor reads a run from its first entry to its last, a section at a time.
type cursor struct {
	r       *run
	section int    // the next one to read
	at      int64  // where buf begins
	buf     []byte // blocks of the section not yet parsed, and slack
	room    []byte
	block   block
	blockAt int64
	i       int   // of the entry in block that is next
	entry   entry // the one that next moved to
}

// next moves to the next entry, if there is one.
func (c *cursor) next() (ok bool, err error) {
	for c.i >= c.block.n {
		if ok, err := c.nextBlock(); !ok || err != nil {
			return false, err
		}
	}
	c.entry = c.block.entry(c.i)
	c.i++
	return true, nil
}

func (c *cursor) nextBlock() (ok bool, err error) {
	if len(c.buf) <= slack {
		if c.section == len(c.r.sections) {
			return false, nil
		}
		if err := c.nextSection(); err != nil {
			return false, err
		}
	}
	size := blockLength(c.buf[:len(c.buf)-slack])
	if size == 0 || size > len(c.buf)-slack {
		return false, corrupt(c.r.f.Name(), c.at, "the block's length is damaged")
	}
	block, reason := parseBlock(c.buf, size)
	if reason != "" {
		return false, corrupt(c.r.f.Name(), c.at, "%s", reason)
	}
	c.block, c.blockAt, c.i = block, c.at, 0
	c.buf, c.at = c.buf[size:], c.at+int64(size)
	return true, nil
}

func (c *cursor) nextSection() error {
	s := &c.r.sections[c.section]
	c.section++
	need := int(s.blockBytes) + slack
	if cap(c.room) < need {
		c.room = make([]byte, need)
	}
	c.buf, c.at = c.room[:need], s.offset
	return readAt(c.r.f, c.buf[:s.blockBytes], s.offset)
}
