package shop

import "math"

// lives is a world on its way: everybody as they are on a day, and what they have sent that has not arrived.
type lives struct {
	w      *World
	people []person
	day    int
	silent bool
	coming [ahead][]happening // by day of arrival, modulo
	spare  []happening        // memory for the next day: most of what happens arrives on the same day
	treat  []Treatment        // still to come, by day
}

func (w *World) begin(silent bool) *lives {
	l := &lives{w: w, people: make([]person, w.customers), silent: silent, treat: w.treatments}
	for n := range l.people {
		l.people[n] = w.birth(n)
	}
	return l
}

// live lives through the next day.
func (l *lives) live() {
	for len(l.treat) > 0 && l.treat[0].Day <= l.day {
		l.react(l.treat[0])
		l.treat = l.treat[1:]
	}
	today := &l.coming[l.day%ahead]
	*today = append(l.spare[:0], *today...)
	for n := range l.w.born[l.day] {
		l.person(n)
	}
	if !l.silent {
		l.strangers()
		l.bots()
		l.broken()
	}
	l.day++
}

// exposure is what is left of an exposure.
func (w *World) exposure(p *person, why reason, day int) float64 {
	since := day - int(p.hurtOn[why])
	if since < 0 || since >= maxMemory {
		return 0
	}
	return float64(p.hurt[why]) * w.fading[since]
}

func (w *World) expose(p *person, why reason, day int, by float64) {
	p.hurt[why] = float32(math.Min(maxExposure, w.exposure(p, why, day)+by))
	p.hurtOn[why] = int16(day)
}

// hazards are the chances to leave on the day, by reason.
func (l *lives) hazards(p *person) (h [lostInterest + 1]float64) {
	answer := p.answer(l.day)
	for why := range exposures {
		if p.hurtOn[why] != never {
			h[why] = traitsOf[p.kind].hurt[why] * float64(p.tender) * l.w.exposure(p, why, l.day) * answer.hazard
		}
	}
	h[lostInterest] = traitsOf[p.kind].base * answer.hazard
	return h
}

// person lives the day of one customer.
func (l *lives) person(n int) {
	p := &l.people[n]
	r := keyed(l.w.seed, forDay, uint64(n), uint64(l.day))
	fade := 1.0
	switch p.state {
	case prospect:
		l.prospect(n, p, &r)
		return
	case active:
		l.mayLeave(p, &r)
	case left:
		fade = l.mayReturn(p, &r)
	}
	rate, looks := l.rates(p, fade)
	orders, visits := r.chance(rate), r.chance(looks)
	switch {
	case orders:
		l.order(n, p, &r)
	case visits:
		l.browse(n, p, &r, noCampaign)
	}
	l.coffee(n, p, &r)
	if p.state == left && fade <= barely && l.day%14 != 3 {
		return
	}
	l.letters(n, p, &r, fade)
}

func (l *lives) prospect(n int, p *person, r *draws) {
	if l.day < int(p.first) {
		if l.day == int(p.born) || r.chance(.3) {
			l.browse(n, p, r, searchAds)
		}
		return
	}
	p.state = active
	l.order(n, p, r)
	if r.chance(float64(p.drop)) {
		p.state, p.reason, p.lapsed = left, triedOnce, int16(l.day)+1
	}
	if p.kind == box && r.chance(.8) {
		p.box, p.boxNext = boxRuns, int16(l.day+boxDays)
		l.subscription(n, p, r, boxStarted)
	}
}

// mayLeave lets the hazards compete for one draw, so that there is one reason.
func (l *lives) mayLeave(p *person, r *draws) {
	u := r.unit()
	for why, h := range l.hazards(p) {
		if u < h {
			p.state, p.reason, p.lapsed = left, reason(why), int16(l.day)
			return
		}
		u -= h
	}
}

// barely is how much those who have long left still do: a look now and then.
const barely = .006

// mayReturn brings some of those who left back, and says how much the others still do.
func (l *lives) mayReturn(p *person, r *draws) (fade float64) {
	u, chance := r.unit(), .0005
	switch {
	case p.kind == bargain && l.w.calendar.hunt(l.day, 3):
		chance = .03
	case p.kind == gifter:
		chance = .0015
	}
	gone := l.day - int(p.lapsed)
	if gone > 45 && u < chance {
		p.state = active
		p.since = int16(l.day) - int16(math.Min(60, .6/float64(p.rate)))
		return 1
	}
	span := traitsOf[p.kind].fade
	if p.reason == lostInterest {
		span *= 2
	}
	if fade = exp(-float64(gone) / span); fade < .01 {
		return barely
	}
	return fade
}

// rates are the chances of an order and of a visit on the day.
func (l *lives) rates(p *person, fade float64) (orders, visits float64) {
	orders = float64(p.rate) * l.w.calendar.orders[p.kind][l.day]
	since := float64(l.day - int(p.since))
	switch traitsOf[p.kind].rhythm {
	case even:
		x := since * float64(p.rate)
		orders *= math.Min(1.5, .12+float64(1.6*x*x))
	case clumpy:
		if since < 9 {
			orders *= 2.2
		} else {
			orders *= .85
		}
	case random:
		if since < 3 {
			orders *= .3
		}
	}
	orders *= p.answer(l.day).orders
	if p.state == left {
		orders *= fade * fade * .12
	}
	fresh := 1 + float64(.4*(1-math.Min(1, since/14)))
	return orders, float64(p.looks) * fade * l.w.calendar.visits[l.day] * fresh
}
