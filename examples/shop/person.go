package shop

import (
	"math"
	"strconv"
	"strings"
)

// habits are facts about a person that are so or not.
type habits uint32

const (
	hasAccount habits = 1 << iota
	hasCard           // of the shops' loyalty
	hasRecord         // in the customer register
	wantsNewsletter
	takesPush
	allowsAnalytics
	sharesTablet  // with the household
	sharesMailbox // uses that of the person before
	sharesPhone   // gives the household's number
	hasSecondAccount
	clockFarOff
	clockAhead
	sendsOffset // times with +01:00
	isStarter   // was a customer before day 0
	mailBounces
	changedMail
)

type state uint8

const (
	prospect state = iota
	active
	left
)

// boxState is where the coffee box stands.
type boxState uint8

const (
	noBox boxState = iota
	boxRuns
	boxEnded
)

const never = -9999

// person is one customer: what is known and what is hidden. It has no pointers, so copying a slice clones everybody.
type person struct {
	kind                        kind
	country, city, woman, size  uint8
	hour                        uint8 // of the day
	likes, likesToo             uint8 // categories
	android                     bool
	browsers                    uint8
	state                       state
	reason                      reason // for having left
	box                         boxState
	habits                      habits
	household                   int32 // number of its first person
	born, first, last, since    int16 // day seen first, to order first, of the last order, that the rhythm counts from
	lapsed, boxNext             int16 // day of leaving, of the next box
	hurtOn                      [exposures]int16
	hurt                        [exposures]float32 // as it was on that day
	rate, looks, tender, level  float32            // orders and visits a day; sensitivity; dearness
	drop                        float32            // chance to be lost after the first order
	orders, tickets, registered uint16
	generations                 [3]uint16 // of the anonymous ids of two browsers and the app
	sent                        uint32    // events so far
	revenue                     int32     // cents, net of refunds
	action                      Action
	acted                       int16 // day of the action
}

func (p *person) is(h habits) bool { return p.habits&h != 0 }

// birth makes a customer as they are before anything happens.
func (w *World) birth(n int) person {
	r := keyed(w.seed, forBirth, uint64(n), 0)
	shares := make([]float64, 0, 16)
	for k := range kinds {
		shares = append(shares, traitsOf[k].share)
	}
	p := person{kind: kind(r.pick(shares...)), last: never, lapsed: never, boxNext: -1, acted: never}
	for i := range p.hurtOn {
		p.hurtOn[i] = never
	}
	shares = shares[:0]
	for _, c := range countries {
		shares = append(shares, c.share)
	}
	p.country = uint8(r.pick(shares...))
	p.city = uint8(float64(countries[p.country].cities) * r.unit() * r.unit())
	w.character(&p, &r)
	w.surroundings(&p, n, &r)
	if n < w.starters {
		p.habits |= isStarter
		p.born, p.first = -1, -1
		p.state, p.orders = active, uint16(1+r.below(6))
		p.last = int16(-1 - int(math.Min(120, r.exponential()/float64(p.rate))))
		p.since = p.last
		if p.kind == box {
			p.box, p.boxNext = boxRuns, int16(r.below(30))
		}
		return p
	}
	p.born = w.bornOn(n)
	p.first = p.born
	if later := int16(math.Min(40, r.exponential()*6)); !r.chance(.45) {
		p.first += later
	}
	return p
}

// character is what follows from the kind.
func (w *World) character(p *person, r *draws) {
	k := traitsOf[p.kind]
	if r.chance(k.women) {
		p.woman = 1
	}
	p.hour = uint8(r.around(k.hour, 2.2, 6, 23))
	p.likes, p.likesToo = uint8(r.pick(k.taste[:]...)), uint8(r.pick(k.taste[:]...))
	sizes := []float64{.09, .20, .27, .22, .13, .09}
	if p.kind == fitter {
		sizes = []float64{.24, .16, .14, .12, .12, .22}
	}
	p.size = uint8(r.pick(sizes...))
	android := .48
	if p.kind == appNative {
		android = .60
	}
	p.android = r.chance(android)
	p.browsers = uint8(1 + r.below(2))
	p.rate = float32(math.Min(r.gamma(k.shape)/k.shape, 6) / k.gap)
	often := .5 + float64(.5*math.Min(3, float64(p.rate)*k.gap))
	p.looks = float32(.5 * k.visits * exp(.5*r.normal()) * often)
	p.tender = float32(exp(float64(.45*r.normal()) - .1))
	p.level = float32(k.level + float64(.5*r.normal()))
	p.drop = float32(r.beta(4*k.lost, 4*(1-k.lost)))
	for _, h := range []struct {
		habit  habits
		chance float64
	}{
		{hasAccount, k.accountRate}, {hasCard, .25 + float64(1.2*k.store)}, {wantsNewsletter, k.newsletter}, {takesPush, k.app},
		{allowsAnalytics, .91}, {sharesPhone, .12}, {hasSecondAccount, .04}, {clockAhead, .003}, {clockFarOff, .0007}, {sendsOffset, .3},
	} {
		if r.chance(h.chance) {
			p.habits |= h.habit
		}
	}
	if p.is(hasCard) || p.is(hasAccount) && r.chance(.7) {
		p.habits |= hasRecord
	}
}

// surroundings is the household: up to four people whose numbers follow each other, and what they share.
func (w *World) surroundings(p *person, n int, r *draws) {
	joins := func(i int) bool {
		q := keyed(w.seed, forHousehold, uint64(i), 0)
		return q.chance(.30)
	}
	first := n
	for first > 0 && n-first < 3 && joins(first) {
		first--
	}
	p.household = int32(first)
	tablet := keyed(w.seed, forHousehold, uint64(first), 1)
	if alone := first == n && !joins(n+1); !alone && tablet.chance(.30) {
		p.habits |= sharesTablet
	}
	if first != n && r.chance(.04) {
		p.habits |= sharesMailbox
	}
}

// bornOn is the day on which the customer is seen first.
func (w *World) bornOn(n int) int16 {
	low, high := 0, History
	for low < high {
		if middle := (low + high) / 2; w.born[middle] > n {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return int16(low)
}

// stranger makes somebody who looks and never buys.
func (w *World) stranger(n int) person {
	r := keyed(w.seed, forStranger, uint64(n), 0)
	return person{kind: kinds, country: uint8(r.below(6)), hour: uint8(10 + r.below(12)), likes: uint8(r.below(categories)),
		likesToo: uint8(r.below(categories)), size: uint8(r.below(len(sizes))), android: r.chance(.5), browsers: 1, habits: allowsAnalytics, household: int32(n)}
}

func (w *World) appendUser(b []byte, n int, second bool) []byte {
	b = strconv.AppendInt(append(b, 'u'), int64(w.numbers.of(n, saltUser)), 10)
	if second {
		b = append(b, 'b')
	}
	return b
}

// name is the customer's. Common names are common, and most of a household have one surname.
func (w *World) name(n int, p *person) (first, surname string) {
	choose := func(r *draws, from []string) string { return from[int(float64(len(from))*pow(r.unit(), 1.8))] }
	r := keyed(w.seed, forName, uint64(n), 0)
	first = choose(&r, firstNames[1-p.woman])
	family := keyed(w.seed, forSurname, uint64(p.household), 0)
	if r.chance(.25) {
		family = r
	}
	return first, choose(&family, surnames)
}

// mail is the customer's address, or the one after it changed.
func (w *World) mail(n int, p *person, changed bool) string {
	if p.is(sharesMailbox) {
		n--
		before := w.birth(n)
		p = &before
	}
	first, surname := w.name(n, p)
	r := keyed(w.seed, forAddress, uint64(n), 0)
	host := mailHosts[r.below(len(mailHosts))]
	if changed {
		first, host = first[:1], mailHosts[r.below(len(mailHosts))]
	} else {
		first += "."
	}
	return strings.ToLower(first+surname) + strconv.Itoa(w.numbers.of(n, saltMail)) + "@" + host
}

func (w *World) phone(n int, p *person) string {
	if p.is(sharesPhone) {
		return "+49305550" + strconv.Itoa(w.numbers.of(int(p.household), saltHome)+int(w.numbers.modulus))
	}
	return "+49151555" + strconv.Itoa(w.numbers.of(n, saltPhone)+int(w.numbers.modulus))
}
