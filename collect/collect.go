// Package collect takes in the events that are pushed at Kith. A door says who sent them, holds them to the limits and
// hands them, byte for byte as they came, to the journal; the sender has its 200 when the journal has the events.
//
// What is JSON is stored even where it is wrong (no type, too large), and the sender is told; package prepare puts it
// into quarantine, where it can be read and repaired. Only what is no JSON at all is turned away, and the last hundred
// such bodies are kept to look at.
//
// One file is one door: events.go is Kith's own, batch.go is Segment's.
package collect

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kith/event"
	"kith/govern"
)

// Journal stores lines for good. It is journal.Writer, bound to a partition.
type Journal interface {
	// Append returns when count lines are durable, with the number of the first. The others follow it without a gap.
	// After an error it may have stored them, or may yet. It does not keep lines.
	Append(ctx context.Context, lines []byte, count int) (first event.Seq, err error)
}

// Gate says who shows a credential, if they may do what they want. It is govern.Policy.
type Gate interface {
	Decide(ctx context.Context, c govern.Credential, a govern.Action) (govern.Principal, error)
}

// Sources knows the sources by name, for senders that are no source themselves.
type Sources interface {
	ByName(name string) (id event.SourceID, ok bool)
}

// Options are what a Collector needs; the first three are required.
type Options struct {
	Journal Journal
	Gate    Gate
	Sources Sources

	Limits         Limits         // a zero field takes its default
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Now            func() time.Time
	Log            *slog.Logger
}

// Collector is the doors and what they count. It is safe for many goroutines.
type Collector struct {
	journal Journal
	gate    Gate
	sources Sources
	limits  Limits
	proxies []netip.Prefix
	now     func() time.Time
	log     *slog.Logger

	strangers strangers
	held      atomic.Int64 // bytes of the large requests in memory
	counts    counts
	rejected  rejects
	intakes   sync.Pool
	made      atomic.Uint32 // intakes, for their shards
}

// New makes a Collector.
func New(o Options) *Collector {
	c := &Collector{journal: o.Journal, gate: o.Gate, sources: o.Sources, limits: o.Limits.withDefaults(),
		proxies: o.TrustedProxies, now: o.Now, log: o.Log}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.intakes.New = func() any { return &intake{shard: c.made.Add(1) % shards} }
	return c
}

// Door is one way in, ready to be put under its path. Its handler asks for the Action itself: the Segment door finds
// a write key only in the body.
type Door struct {
	Name   string // as it stands in raw lines and in Stats
	Path   string
	Action govern.Action
	Help   string
	http.Handler
}

// Doors lists the doors.
func (c *Collector) Doors() []Door {
	all := make([]Door, 0, len(doors()))
	for i, d := range doors() {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(d, i, w, r) })
		all = append(all, Door{Name: d.name, Path: d.path, Action: govern.IngestEvents, Help: d.help, Handler: handler})
	}
	return all
}

// doors is every door; its place here is its place in the counts.
func doors() []*door { return []*door{eventsDoor(), batchDoor()} }
