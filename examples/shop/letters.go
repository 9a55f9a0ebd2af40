package shop

import "time"

// letters are the newsletter on every other Thursday, the app's push messages, and changes in the customer register.
func (l *lives) letters(n int, p *person, r *draws, fade float64) {
	thursday := l.w.calendar.weekday[l.day] == time.Thursday
	if thursday && l.day/7%2 == 0 && p.is(wantsNewsletter) && !p.is(mailBounces) && p.orders > 0 {
		l.letter(n, p, r, .10+float64(.34*fade))
	}
	if p.is(takesPush) && (l.day+5*n)%14 == 0 && fade > .3 && p.kind == appNative {
		l.push(n, p, r, fade)
	}
	if p.is(hasRecord) && p.orders > 0 {
		l.register(p, r)
	}
}

// letter may be opened, and bring a visit, or the end of letters.
func (l *lives) letter(n int, p *person, r *draws, opens float64) {
	switch {
	case r.chance(.0015):
		p.habits |= mailBounces
	case !r.chance(opens):
		if p.state == left && r.chance(.006) {
			p.habits &^= wantsNewsletter
		}
	case r.chance(.004):
		p.habits &^= wantsNewsletter
	case r.chance(.16):
		read := l.w.calendar.midnight[l.day] + 9*msPerHour + int64(1.2e6*r.unit()) + int64(9e6*r.exponential())
		v := l.enter(n, p, r, web)
		v.now, v.campaign = read+23_000, newsletter
		v.wander()
	}
}

func (l *lives) push(n int, p *person, r *draws, fade float64) {
	v := l.enter(n, p, r, app)
	v.send(pushed, nil)
	if r.chance(.12 * fade) {
		v.send(pushTapped, nil)
		v.wander()
	}
}

// register changes what the customer register knows: people move, and change their address.
func (l *lives) register(p *person, r *draws) {
	if p.registered == 0 {
		p.registered = 1
		return
	}
	if !r.chance(.00035) {
		return
	}
	p.registered++
	if !p.is(changedMail) && r.chance(.5) {
		p.habits |= changedMail
	} else if cities := int(countries[p.country].cities); cities > 1 {
		p.city = uint8(r.below(cities))
	}
}
