package identity

import "math/bits"

const (
	shards    = 1 << 10
	birthBits = 40 // a trillion identifiers: more than fit in memory
	birthMask = 1<<birthBits - 1
)

type hash struct{ hi, lo uint64 }

func (h hash) shard() uint64 { return h.hi % shards }

func (h hash) slot(birth int64) slot { return slot{h.lo, h.hi>>birthBits<<birthBits | uint64(birth)} }

// slot holds 64 + 24 bits of a hash and a birth number; ten more bits choose the shard. The zero slot is empty.
type slot struct{ lo, tagBirth uint64 }

func (s slot) empty() bool { return s.tagBirth == 0 }

func (s slot) birth() int64 { return int64(s.tagBirth & birthMask) }

// same reports whether two slots hold the same hash.
func (s slot) same(as slot) bool {
	return s.lo == as.lo && s.tagBirth>>birthBits == as.tagBirth>>birthBits
}

// table finds birth numbers by hash. It is open addressing in many shards of 16 bytes a slot, each of which grows by
// half when it is three quarters full: 26 bytes an identifier in the mean, nothing for the garbage collector to look
// at, and no pause longer than it takes to move a thousandth of the table.
type table struct {
	births int64
	shards [shards]shard
}

type shard struct {
	slots []slot
	used  int
}

func (t *table) find(h hash) int64 { return t.shards[h.shard()].find(h.slot(0)) }

// add gives the hash, which find does not find, the next birth number.
func (t *table) add(h hash) int64 {
	s := &t.shards[h.shard()]
	if s.used >= len(s.slots)*3/4 {
		s.resize(max(8, len(s.slots)*3/2))
	}
	t.births++
	s.used++
	s.put(h.slot(t.births))
	return t.births
}

// build makes the table of lists of slots, one for each shard, which it lets go of on its way. twice is the number of
// an identifier that stands there twice.
func (t *table) build(lists *[shards][]slot) (twice int64) {
	for i := range lists {
		s := &t.shards[i]
		if s.used = len(lists[i]); s.used > 0 {
			s.resize(max(8, s.used*3/2))
		}
		for _, v := range lists[i] {
			if s.find(v) != 0 {
				return v.birth()
			}
			s.put(v)
		}
		lists[i] = nil
	}
	return 0
}

// find returns the birth number of the hash that like holds.
func (s *shard) find(like slot) int64 {
	if len(s.slots) == 0 {
		return 0
	}
	for i := s.home(like.lo); ; i++ {
		if i == len(s.slots) {
			i = 0
		}
		if at := s.slots[i]; at.empty() {
			return 0
		} else if at.same(like) {
			return at.birth()
		}
	}
}

func (s *shard) put(v slot) {
	i := s.home(v.lo)
	for !s.slots[i].empty() {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.slots[i] = v
}

func (s *shard) resize(slots int) {
	old := s.slots
	s.slots = make([]slot, slots)
	for _, v := range old {
		if !v.empty() {
			s.put(v)
		}
	}
}

// home maps the hash onto the slots, whose number is no power of two.
func (s *shard) home(lo uint64) int {
	i, _ := bits.Mul64(lo, uint64(len(s.slots)))
	return int(i)
}
