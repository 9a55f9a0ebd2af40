// Package shop makes up a shop, Quillfern, and every event that it would have sent: the first thing a newcomer sees in
// Kith, and an oracle for its tests, because the true answer to every question is known.
//
// Customers are of hidden kinds. They come, look, buy, are disappointed by late parcels, unsolved tickets, prices, sizes
// out of stock and errors of the app, and leave, each for one reason. Three ideas carry it:
//
//   - A life is a pure function of the seed, the customer's number and what was done about them. The draws of a day are keyed by seed, number and
//     day. Timing and the network's noise have draws of their own, so that a world which writes nothing lives the same
//     lives.
//   - The truth needs no table. Message ids, anonymous ids and order ids are numbers under a seal that a [World] can
//     open; a user id or an e-mail address can be computed back to the number of its owner.
//   - Leaving is decided by hazards that add up, one for each reason, so that each leaving has exactly one true reason.
//
// The same options give the same bytes on every machine: results of package math are rounded before they are used, and
// no product is left to be fused with a sum.
//
// All names are invented. Mail addresses and hosts are of example.com, .org, .net and .test, network addresses of the
// ranges that are kept for documentation. Nothing in Kith may know the seals' keys.
package shop

import (
	"slices"
	"time"
)

// History is how many days there are before the day on which a world ends.
const History = 548

// Options choose a world.
type Options struct {
	Seed      uint64
	Customers int       // at least 1; they make about 75 lines each
	End       time.Time // the moment at which it stops; to the millisecond
	Days      int       // only what was sent first in so many days before the end's day is written; 0 or more than History: all

	Treatments []Treatment // what is done about customers, which changes what they do
}

// World is a shop with all that ever happens in it. It does not change, and several goroutines may use it.
type World struct {
	seed      uint64
	customers int
	end       int64 // milliseconds since 1970
	from      int64 // what was sent first before it is not written
	keys      [rounds]uint64
	numbers   affine

	treatments []Treatment // by day

	calendar calendar
	products []product
	starters int                // were customers before day 0
	born     [History + 1]int   // how many customers are known by the end of the day
	fading   [maxMemory]float64 // what is left of an exposure after so many days
}

// New makes a world. It takes no time: lives are lived when they are asked for.
func New(o Options) *World {
	w := &World{seed: o.Seed, customers: max(1, o.Customers), end: o.End.UnixMilli()}
	w.treatments = slices.Clone(o.Treatments)
	slices.SortStableFunc(w.treatments, func(a, b Treatment) int { return a.Day - b.Day })
	for i := range w.keys {
		w.keys[i] = scramble(o.Seed + uint64(i+1)*999331)
	}
	w.numbers = newAffine(o.Seed, w.customers)
	w.calendar = newCalendar(w.end)
	if o.Days > 0 && o.Days < History {
		w.from = w.calendar.midnight[History-o.Days]
	}
	w.products = makeProducts(o.Seed)
	for d := range w.fading {
		w.fading[d] = exp(-ln2 * float64(d) / halfLife)
	}
	w.populate()
	return w
}

// populate says when customers appear: a fifth before day 0, the others ever faster, with the seasons.
func (w *World) populate() {
	w.starters = w.customers / 5
	var grown [History + 1]float64
	sum := 0.0
	for d := range grown {
		growth := 1 + float64(.9*float64(d))/History
		sum += float64(growth * (.4 + float64(.6*w.calendar.visits[d])))
		grown[d] = sum
	}
	for d := range grown {
		w.born[d] = w.starters + int(float64(w.customers-w.starters)*grown[d]/sum)
	}
	w.born[History] = w.customers
}

// End is the moment at which the world stops.
func (w *World) End() time.Time { return time.UnixMilli(w.end).UTC() }
