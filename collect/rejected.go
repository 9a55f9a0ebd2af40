package collect

import (
	"slices"
	"sync"
	"time"

	"kith/event"
)

const (
	keptBodies = 100
	keptBytes  = 64 << 10 // of one body
)

// Rejected is a body that was not taken: it is no JSON, or no events. It is kept in memory to look at.
type Rejected struct {
	At      time.Time
	Door    string
	Source  string // empty where the write key stood in the body
	Address string
	Reason  string
	Size    int    // of the unpacked body
	Body    []byte // its first 64 kB
}

// Rejected returns the last hundred, the newest first.
func (c *Collector) Rejected() []Rejected { return c.rejected.list() }

// rejects is a ring.
type rejects struct {
	mu   sync.Mutex
	ring []Rejected
	next int
}

func (r *rejects) keep(x *intake, at time.Time, why error) {
	one := Rejected{At: at, Door: x.door.name, Source: x.from.source, Address: x.from.ip, Reason: event.Errors(why)[0].Error(),
		Size: len(x.body), Body: slices.Clone(x.body[:min(len(x.body), keptBytes)])}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < keptBodies {
		r.ring = append(r.ring, one)
		return
	}
	r.ring[r.next] = one
	r.next = (r.next + 1) % keptBodies
}

func (r *rejects) list() []Rejected {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(slices.Clone(r.ring[r.next:]), r.ring[:r.next]...)
	slices.Reverse(all)
	return all
}
