package shop

import "math"

// visit is one visit to the web shop or the app: one device, one clock that runs.
type visit struct {
	l        *lives
	n        int
	p        *person
	r        *draws // what is decided
	noise    draws  // timing and network, which decide nothing
	now      int64
	source   source
	told     told
	device   uint64
	campaign campaign
	ahead    int32
	offline  int64 // ms until what is sent arrives
}

// enter begins a visit on the day.
func (l *lives) enter(n int, p *person, r *draws, source source) visit {
	v := visit{l: l, n: n, p: p, r: r, source: source, now: l.moment(p, r), noise: draws(r.next()), told: tellsDevice}
	customer := p.state != prospect
	browser := r.below(int(p.browsers))
	if r.chance(.012) {
		p.generations[browser]++ // cookies were deleted
	}
	login, public := .38, r.unit()
	v.device = device(Browser, n, int(p.generations[browser])*4+browser)
	switch {
	case source == app:
		v.device, login = device(Phone, n, int(p.generations[2])), .93
	case p.is(sharesTablet) && r.chance(.25):
		v.device = device(Tablet, int(p.household), 0)
	case public < .006 && customer:
		v.device, login = device(Kiosk, r.below(max(1, 15*l.w.customers/20000)), 0), 1
	case public < .012 && customer:
		v.device, login = device(Agent, r.below(max(1, 10*l.w.customers/20000)), 0), 1
	}
	if p.is(hasAccount) && customer && r.chance(login) {
		v.told |= tellsUser
	}
	switch u := r.unit(); {
	case source == app:
	case u < .13:
		v.campaign = searchAds
	case u < .20:
		v.campaign = social
	case u < .23:
		v.campaign = affiliate
	case u < .31 && p.is(wantsNewsletter) && customer:
		v.campaign = newsletter // an older one
	}
	v.clock()
	return v
}

// clock says how wrong the device's is, and whether it is offline.
func (v *visit) clock() {
	switch {
	case v.p.is(clockAhead):
		v.ahead = int32(3600 * (2 + v.n%5))
	case v.p.is(clockFarOff):
		v.ahead = int32(86400 * (300 + v.n%90))
		if v.n%2 == 0 {
			v.ahead *= -8
		}
	}
	if v.source == app && v.r.chance(.08) {
		v.offline = int64(v.r.exponential() * 6 * msPerHour)
	}
}

// moment of the day, by the person's habit.
func (l *lives) moment(p *person, r *draws) int64 {
	hour := float64(p.hour) + float64(1.7*r.normal())
	if r.chance(.3) {
		hour = 8 + float64(14*r.unit())
	}
	country := 0
	if int(p.country) < len(countries) {
		country = int(p.country)
	}
	hour = math.Mod(hour+24+float64(countries[country].behind), 24)
	return l.w.calendar.midnight[l.day] + int64(hour*msPerHour)
}

// send sends one event of the visit, and lets some time pass.
func (v *visit) send(what what, fill func(*happening)) {
	if v.l.silent {
		v.p.sent++
		return
	}
	e := v.l.happened(v.n, v.p, what, v.source, v.now)
	e.told, e.device, e.campaign, e.ahead = v.told, v.device, v.campaign, v.ahead
	e.arrives += 150 + int64(400*v.noise.exponential()) + v.offline
	if fill != nil {
		fill(&e)
	}
	v.l.put(e)
	if v.noise.chance(.011) { // the answer was lost on the way
		e.again = 5000 + int32(40000*v.noise.exponential())
		e.arrives += int64(e.again)
		v.l.put(e)
	}
	v.pass(28)
}

// pass lets time pass: 3 s and so many on average.
func (v *visit) pass(seconds float64) {
	v.now += int64(1000 * (3 + float64(seconds*v.noise.exponential())))
}

// land is how every visit begins.
func (v *visit) land() {
	if v.source == app {
		v.send(appOpened, nil)
		v.send(screenSeen, nil)
		return
	}
	v.send(pageSeen, nil)
}

// login tells who it is, at the latest at the checkout.
func (v *visit) login() {
	before := v.told
	v.told |= tellsMail
	if v.p.is(hasAccount) {
		v.told |= tellsUser
	}
	switch u := v.r.unit(); {
	case u < .012:
		v.told |= invented
	case u < .016:
		v.told |= mistyped
	}
	if v.r.chance(.3) {
		v.told |= tellsPhone
	}
	v.send(identified, nil)
	if v.n%40 == 7 && v.told&tellsUser != 0 { // buys for a company
		v.send(grouped, nil)
	}
	v.told = before | v.told&tellsUser
}

// look at a product. Its size may be out of stock, which is remembered.
func (v *visit) look() (product int32) {
	product = v.p.choose(v.r)
	gone := false
	if category := product / perCategory; (category == clothing || category == shoes) && v.p.state != prospect {
		chance := missing[v.p.size] * .8
		if edge := v.p.size == 0 || int(v.p.size) == len(sizes)-1; edge && shortage.has(v.l.day) {
			chance *= 1.6
		}
		if gone = v.r.chance(chance); gone {
			v.l.w.expose(v.p, outOfStock, v.l.day, .5)
		}
	}
	v.send(viewed, func(e *happening) {
		e.product = product
		if gone {
			e.marks |= notInStock
		}
	})
	return product
}

// wander is a visit without an order.
func (v *visit) wander() {
	v.land()
	u := v.r.unit()
	if u < .42 {
		return
	}
	switch {
	case v.r.chance(.2):
		cheap := v.r.unit() < .08 || v.p.kind == bargain && v.r.unit() < .6
		v.send(searched, func(e *happening) {
			if cheap {
				e.marks |= cheapFirst
			}
		})
	case v.r.chance(.25):
		v.send(listViewed, nil)
	}
	var last int32
	for range 1 + v.r.poisson(.5) {
		if v.source == web && v.r.chance(.12) {
			v.send(pageSeen, nil)
		}
		last = v.look()
	}
	if u <= .80 {
		return
	}
	price := v.l.w.price(last, v.l.day)
	v.send(added, func(e *happening) { e.product, e.cents = last, price })
	if u > .905 {
		v.send(checkedOut, func(e *happening) { e.product, e.cents = last, price })
	}
}

// where says whether the person comes by the web or the app.
func (p *person) where(r *draws) source {
	share := traitsOf[p.kind].app / (1 - traitsOf[p.kind].store)
	if p.kind != appNative && !p.is(takesPush) {
		share *= .3
	}
	if r.chance(share) {
		return app
	}
	return web
}

// browse is a visit that was not meant to end with an order.
func (l *lives) browse(n int, p *person, r *draws, by campaign) {
	v := l.enter(n, p, r, p.where(r))
	if by != noCampaign && v.source == web {
		v.campaign = by
	}
	v.wander()
	if v.source == app {
		chance := .022
		if p.android && badRelease.has(l.day) {
			chance = .20
		}
		if r.chance(chance) {
			v.send(crashed, nil)
			l.w.expose(p, appError, l.day, 1)
		}
	}
	if p.state == active && dearer(l.day) && r.chance(.30) {
		l.w.expose(p, priceRise, l.day, .5)
	}
}
