package shop

// Numbers from the customers' on belong to who is no customer: strangers, then bots, then broken senders. They follow
// from the day, so that nobody needs to be remembered.

// stride is how many numbers a day has for its strangers.
func (w *World) stride() int { return w.customers/20 + 64 }

func (w *World) botNumber(bot int) int { return w.customers + (History+1)*w.stride() + bot }

func (w *World) brokenNumber(day int) int { return w.botNumber(bots) + day }

const bots = 12

// strangers come once or twice, look, and never buy.
func (l *lives) strangers() {
	w := l.w
	r := keyed(w.seed, forStrangers, uint64(l.day), 0)
	growth := 1 + float64(.5*float64(l.day))/History
	mean := .0060 * float64(w.customers) * w.calendar.visits[l.day] * growth
	for i := range min(r.poisson(mean), w.stride()) {
		n := w.customers + l.day*w.stride() + i
		p := w.stranger(n)
		for again := range 1 + r.below(2) {
			v := visit{l: l, n: n, p: &p, r: &r, source: web, now: l.moment(&p, &r) + int64(again)*36*msPerHour, noise: draws(r.next()),
				told: tellsDevice, device: device(Browser, n, 0)}
			switch u := r.unit(); {
			case u < .3:
				v.campaign = searchAds
			case u < .5:
				v.campaign = social
			}
			v.wander()
		}
	}
}

// bots read product after product. One says that it is a browser.
func (l *lives) bots() {
	r := keyed(l.w.seed, forBots, uint64(l.day), 0)
	few := min(1, max(.1, float64(l.w.customers)/20000))
	for bot := range bots {
		if !r.chance(.12 * few) {
			continue
		}
		n := l.w.botNumber(bot)
		p := person{kind: kinds, habits: allowsAnalytics, sent: uint32(l.day) * 2000, household: int32(n)}
		v := visit{l: l, n: n, p: &p, r: &r, source: web, told: tellsDevice, device: device(Machine, bot, l.day), noise: draws(r.next()),
			now: l.w.calendar.midnight[l.day] + int64(.8*msPerDay*r.unit())}
		for range 20 + r.below(80) {
			product := int32(r.below(len(l.w.products)))
			v.send(viewed, func(e *happening) { e.product = product })
			v.now -= 25_000 // they do not stop to read
			v.now = max(v.now, l.w.calendar.midnight[l.day])
		}
	}
}

// fault is what a broken sender gets wrong.
type fault uint8

const (
	cutOff fault = iota
	notUTF8
	unknownType
	noType
	noEvent
	noTime
	at1970
	longName
	faults
)

// reason is Kith's word for it, in clean.quarantine.
func (f fault) reason() string {
	return [...]string{"not_json", "not_json", "type_unknown", "type_missing", "event_missing", "time_unreadable", "time_too_early", "name_too_long"}[f]
}

// broken senders send what cannot be taken.
func (l *lives) broken() {
	r := keyed(l.w.seed, forBroken, uint64(l.day), 0)
	n := l.w.brokenNumber(l.day)
	p := person{kind: kinds, habits: allowsAnalytics, household: int32(n)}
	for range r.poisson(.02 + float64(1.6*float64(l.w.customers))/20000) {
		v := visit{l: l, n: n, p: &p, r: &r, source: source(r.below(2)), now: l.w.calendar.midnight[l.day] + int64(.9*msPerDay*r.unit()),
			told: tellsDevice, device: device(Machine, 99, l.day)}
		p.sent++
		e := l.happened(n, &p, nonsense, v.source, v.now)
		e.device, e.detail = v.device, uint8(r.below(int(faults)))
		e.arrives += 200
		l.put(e)
	}
}
