package shop

// order makes one purchase, and what follows from it: the parcel, lateness, a ticket, a refund. Parcels and tickets are
// lived through although their sources are not written.
func (l *lives) order(n int, p *person, r *draws) {
	var buf [24]item
	nth := uint32(p.orders) + 1
	b := l.w.basket(n, p, nth, l.day, buf[:])
	if inShop := r.chance(1.75 * traitsOf[p.kind].store); inShop && p.is(hasCard) && l.w.calendar.weekday[l.day] != 0 { // closed on Sunday
		l.paid(p, b.total)
		return
	}
	v := l.enter(n, p, r, p.where(r))
	if v.source == app && appOutage.has(l.day) {
		v.fail(b)
		if p.state == prospect || !r.chance(.3) {
			return // tries again on another day, or never
		}
		v = l.enter(n, p, r, web)
	}
	l.paid(p, b.total)
	v.land()
	for range r.poisson(.7) {
		v.look()
	}
	for _, one := range b.items {
		v.send(viewed, func(e *happening) { e.product = one.product })
		v.send(added, func(e *happening) { e.product, e.cents = one.product, one.cents })
	}
	v.send(checkedOut, func(e *happening) { e.product, e.cents = b.items[0].product, b.total })
	if v.told&tellsUser == 0 || r.chance(.15) {
		v.login()
	}
	v.send(ordered, func(e *happening) {
		e.order, e.cents = nth, b.total
		hour := (e.at - l.w.calendar.midnight[l.day]) / msPerHour
		if v.source == web && textTotals.has(l.day) && hour >= 9 && hour < 16 {
			e.marks |= totalAsText
		}
	})
	delivered, late := l.parcel(p, r)
	l.ticket(p, r, delivered, late)
	l.refund(n, p, r, nth, b, delivered)
	if p.state == active && dearer(l.day) {
		l.w.expose(p, priceRise, l.day, .7)
	}
}

func (l *lives) paid(p *person, total int32) {
	p.orders++
	p.last, p.since = int16(l.day), int16(l.day)
	p.revenue += total
}

// fail is an order in the app that the checkout does not take.
func (v *visit) fail(b basket) {
	v.wander()
	for range 1 + v.r.below(3) {
		v.send(checkedOut, func(e *happening) { e.product, e.cents = b.items[0].product, b.total })
		v.send(checkoutFailed, nil)
	}
	v.l.w.expose(v.p, appError, v.l.day, 1.6)
}

// parcel says when the order is delivered, and whether that is later than was promised.
func (l *lives) parcel(p *person, r *draws) (day int, late bool) {
	chance := .10
	if p.south() {
		chance = .18
	}
	if date := l.w.calendar.date[l.day]; date >= 1201 && date < 1224 {
		chance += .10
	}
	if strike.has(l.day) {
		chance = .55
	} else if p.south() && slump.has(l.day) {
		chance = .38
	}
	late = r.chance(chance)
	shipped := l.day + 1 + r.below(2)
	promised, taken := shipped+3, shipped+1+r.below(3)
	if !late {
		return taken, false
	}
	day = promised + 2 + r.below(6)
	l.w.expose(p, lateParcel, day, 1)
	return day, true
}

// ticket may be opened after a delivery. One that is not solved in four days is remembered.
func (l *lives) ticket(p *person, r *draws, delivered int, late bool) {
	chance := .075
	if late {
		chance = .30
	}
	if !r.chance(chance) {
		return
	}
	p.tickets++
	opened := delivered + r.below(3)
	if solved := r.chance(.60); !solved {
		l.w.expose(p, unsolvedTicket, opened+4, 1)
	}
}

func (l *lives) refund(n int, p *person, r *draws, order uint32, b basket, delivered int) {
	if !r.chance(traitsOf[p.kind].refunds) {
		return
	}
	cents := b.total
	if first := b.items[0]; len(b.items) > 1 && !r.chance(.3) {
		cents = min(cents, first.cents*first.quantity)
	}
	p.revenue -= cents
	e := l.atServer(n, p, refunded, delivered+3+r.below(12), 9+float64(9*r.unit()))
	e.order, e.cents = order, cents
	l.put(e)
}

const boxDays = 28

// coffee is the box: sent every four weeks, put off, or cancelled.
func (l *lives) coffee(n int, p *person, r *draws) {
	if p.box != boxRuns || l.day < int(p.boxNext) {
		return
	}
	if p.state == left {
		p.box = boxEnded
		l.subscription(n, p, r, boxCancelled)
		return
	}
	p.boxNext = int16(l.day + boxDays)
	if r.chance(.06 + float64(.24*l.w.exposure(p, priceRise, l.day))) {
		l.subscription(n, p, r, boxSkipped)
		return
	}
	if dearer(l.day) {
		l.w.expose(p, priceRise, l.day, .6)
	}
	p.revenue += boxPrice(l.day)
	l.subscription(n, p, r, boxRenewed)
}

func (l *lives) subscription(n int, p *person, r *draws, what what) {
	e := l.atServer(n, p, what, l.day, 5+float64(2*r.unit()))
	e.cents = boxPrice(l.day)
	l.put(e)
}
