package shop

import (
	"math"
	"reflect"
	"testing"
)

// A world that writes nothing lives the same lives.
func TestQuietIsLoud(t *testing.T) {
	w := New(small())
	loud, quiet := w.begin(false), w.begin(true)
	for range History + 1 {
		loud.live()
		loud.arrived()
		quiet.live()
	}
	if !reflect.DeepEqual(loud.people, quiet.people) {
		t.Error("the lives differ")
	}
}

func TestFaultsArePlanted(t *testing.T) {
	o := small()
	o.Customers = 4000
	w := New(o)
	x := w.Expected()
	for f := range faults {
		if x.Broken[f.reason()] == 0 {
			t.Errorf("nothing is broken by %s", f.reason())
		}
	}
	if x.TextOrders == 0 || x.Events["Product viewed"] == 0 || x.Resends["web"] == 0 || x.Resends["app"] == 0 {
		t.Errorf("a fault is missing: %+v", x)
	}
	bots, ahead, offline := 0, 0, 0
	l := w.begin(false)
	for range History + 1 {
		l.live()
		for _, e := range l.arrived() {
			if e.arrives-e.at > msPerHour && e.again == 0 {
				offline++
			}
			if e.ahead != 0 {
				ahead++
			}
			if Device(e.device>>55) == Machine {
				bots++
			}
		}
	}
	if bots == 0 || ahead == 0 || offline == 0 {
		t.Errorf("%d events of bots, %d with a wrong clock, %d offline", bots, ahead, offline)
	}
}

func TestShares(t *testing.T) {
	o := small()
	o.Customers = 20_000
	l := New(o).begin(true)
	var counts [kinds]float64
	for _, p := range l.people {
		counts[p.kind]++
	}
	for k := range kinds {
		if got, want := counts[k]/20_000, traitsOf[k].share; math.Abs(got-want) > .01 {
			t.Errorf("%s: share %.3f, want %.3f", k, got, want)
		}
	}
}

// People leave, each kind for the reason that it is said to mind.
func TestWhyTheyLeave(t *testing.T) {
	o := small()
	o.Customers = 4000
	l := New(o).begin(true)
	for range History + 1 {
		l.live()
	}
	var why [kinds][triedOnce + 1]int
	for _, p := range l.people {
		if p.state == left {
			why[p.kind][p.reason]++
		}
	}
	for k, r := range map[kind]reason{devoted: unsolvedTicket, regular: lateParcel, bargain: priceRise, fitter: outOfStock, appNative: appError} {
		for other := range exposures {
			if other != r && why[k][other] >= why[k][r] {
				t.Errorf("%s leave %d times for reason %d, %d times for %d", k, why[k][r], r, why[k][other], other)
			}
		}
	}
	if once := why[tryer][triedOnce]; once < 100 {
		t.Errorf("only %d tried once", once)
	}
}

func TestTreatments(t *testing.T) {
	const day = 400
	outcome := func(a Action) (orders, bargains, boxes int) {
		o := small()
		o.Customers = 3000
		for n := range o.Customers {
			o.Treatments = append(o.Treatments, Treatment{n, day, a})
		}
		l := New(o).begin(true)
		for range History + 1 {
			l.live()
		}
		for _, p := range l.people {
			orders += int(p.orders)
			if p.kind == bargain {
				bargains += int(p.orders)
			}
			if p.kind == box && p.box == boxRuns {
				boxes++
			}
		}
		return orders, bargains, boxes
	}
	orders, bargains, boxes := outcome(NoAction)
	if o, _, _ := outcome(Placebo); o != orders {
		t.Errorf("a placebo makes %d orders of %d", o, orders)
	}
	if _, b, x := outcome(Discount); b <= bargains || x >= boxes {
		t.Errorf("a discount makes %d orders of bargain hunters, not %d, and keeps %d boxes, not %d", b, bargains, x, boxes)
	}
}
