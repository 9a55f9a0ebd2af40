package shop

import "time"

// Expected is what a right product must answer about a world. It is counted while the lives are lived, not from what
// is written about them.
type Expected struct {
	Lines   map[string]int // by source, resends and broken ones with them
	Resends map[string]int // by source
	Broken  map[string]int // by the reason in clean.quarantine
	Events  map[string]int // track calls by name, each once, as they are written
	Types   map[string]int // calls by type, each once

	Orders, TextOrders   int   // TextOrders are those that give their total as text
	Revenue, TextRevenue int64 // cents; the one without the other
	Refunds              int64
	ByMonth              map[string]int64 // revenue by UTC month, 2026-10
}

// Total counts the lines of all sources.
func (x *Expected) Total() int { return sum(x.Lines) }

// Rows is how many lines become rows: each good one once.
func (x *Expected) Rows() int { return sum(x.Lines) - sum(x.Resends) - sum(x.Broken) }

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// Expected lives through the world and counts.
func (w *World) Expected() Expected {
	x := Expected{Lines: map[string]int{}, Resends: map[string]int{}, Broken: map[string]int{}, Events: map[string]int{},
		Types: map[string]int{}, ByMonth: map[string]int64{}}
	l := w.begin(false)
	for l.day <= History {
		l.live()
		for _, e := range l.arrived() {
			x.count(l, &e)
		}
	}
	return x
}

func (x *Expected) count(l *lives, e *happening) {
	x.Lines[e.source.String()]++
	switch {
	case e.what == nonsense:
		x.Broken[fault(e.detail).reason()]++
		return
	case e.again > 0:
		x.Resends[e.source.String()]++
		return
	}
	switch e.what {
	case pageSeen:
		x.Types["page"]++
	case screenSeen:
		x.Types["screen"]++
	case identified:
		x.Types["identify"]++
	case grouped:
		x.Types["group"]++
	default:
		x.Types["track"]++
		ios := int(e.person) < len(l.people) && !l.people[e.person].android
		if e.what == viewed && e.source == app && ios && wrongCase.has(int(e.day)) {
			x.Events["Product viewed"]++
		} else {
			x.Events[e.what.String()]++
		}
	}
	switch e.what {
	case refunded:
		x.Refunds += int64(e.cents)
	case ordered:
		x.Orders++
		if e.marks&totalAsText != 0 {
			x.TextOrders++
			x.TextRevenue += int64(e.cents)
			return
		}
		x.Revenue += int64(e.cents)
		x.ByMonth[time.UnixMilli(e.at).UTC().Format("2006-01")] += int64(e.cents)
	}
}
