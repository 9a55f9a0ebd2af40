package collect

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"kith/event"
)

// Count is what one source sent through one door since the start.
type Count struct {
	Source   event.SourceID // 0: the sender was not known, or named no source
	Name     string         // the source's
	Door     string
	Requests int64
	Bytes    int64    // of the bodies, unpacked
	Accepted int64    // records
	Refused  []Reason // records that were stored but have a fault, by fault
	Failed   []Reason // requests that stored nothing, by event.Code
}

// Reason is how often something was refused for one reason.
type Reason struct {
	Word  string
	Times int64
}

// Stats returns the counts, by source and door.
func (c *Collector) Stats() []Count { return c.counts.snapshot() }

// shards is how many copies of a counter there are. An intake keeps to one, and a processor mostly to its intakes, so
// that processors do not fight for one cache line.
const shards = 8

const failureCodes = 11

// failures are the codes a request can fail with; any other counts as the first.
func failures() [failureCodes]event.Code {
	return [...]event.Code{event.Internal, event.Invalid, event.Unauthenticated, event.Forbidden, event.NotFound,
		event.NotAllowed, event.TooLarge, event.TooMany, event.Unavailable, event.TimedOut, event.Canceled}
}

// counters is one shard.
type counters struct {
	requests, bytes atomic.Int64
	records         [faults]atomic.Int64
	failed          [failureCodes]atomic.Int64
	_               [64]byte // apart from the next shard
}

// tally is the counters of one source at one door.
type tally struct {
	from   atomic.Pointer[sender]
	shards [shards]counters
}

type tallyKey struct {
	source event.SourceID
	door   int
}

// counts finds a tally without a lock: the map is never changed, only replaced. It has an entry for each source.
type counts struct {
	tallies atomic.Pointer[map[tallyKey]*tally]
	adding  sync.Mutex
}

func (c *counts) of(from sender, door int) *tally {
	key := tallyKey{from.sourceID, door}
	if all := c.tallies.Load(); all != nil {
		if t := (*all)[key]; t != nil {
			return t
		}
	}
	c.adding.Lock()
	defer c.adding.Unlock()
	all := map[tallyKey]*tally{}
	if old := c.tallies.Load(); old != nil {
		if t := (*old)[key]; t != nil {
			return t
		}
		maps.Copy(all, *old)
	}
	t := &tally{}
	t.from.Store(&sender{source: from.source, sourceID: from.sourceID, door: from.door})
	all[key] = t
	c.tallies.Store(&all)
	return t
}

// add counts a request that is over.
func (t *tally) add(x *intake, err error) {
	if old := t.from.Load(); old.source != x.from.source && x.from.source != "" { // it was given another name
		t.from.Store(&sender{source: x.from.source, sourceID: x.from.sourceID, door: x.from.door})
	}
	s := &t.shards[x.shard]
	s.requests.Add(1)
	s.bytes.Add(int64(len(x.body)))
	if err != nil {
		codes := failures()
		s.failed[max(0, slices.Index(codes[:], event.CodeOf(err)))].Add(1)
		return
	}
	var by [faults]int64
	for i := range x.records {
		by[x.records[i].fault]++
	}
	for fault, n := range by {
		if n > 0 {
			s.records[fault].Add(n)
		}
	}
}

func (c *counts) snapshot() (list []Count) {
	all := c.tallies.Load()
	if all == nil {
		return nil
	}
	for _, t := range *all {
		list = append(list, t.count())
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Door, b.Door)) })
	return list
}

func (t *tally) count() Count {
	from := t.from.Load()
	n := Count{Source: from.sourceID, Name: from.source, Door: from.door}
	var records [faults]int64
	var failed [failureCodes]int64
	for i := range t.shards {
		s := &t.shards[i]
		n.Requests += s.requests.Load()
		n.Bytes += s.bytes.Load()
		for j := range s.records {
			records[j] += s.records[j].Load()
		}
		for j := range s.failed {
			failed[j] += s.failed[j].Load()
		}
	}
	n.Accepted = records[none]
	for f := none + 1; f < faults; f++ {
		if records[f] > 0 {
			n.Refused = append(n.Refused, Reason{f.String(), records[f]})
		}
	}
	for i, code := range failures() {
		if failed[i] > 0 {
			n.Failed = append(n.Failed, Reason{string(code), failed[i]})
		}
	}
	return n
}
