package shop

import (
	"cmp"
	"slices"
)

// what happened.
type what uint8

const (
	pageSeen what = iota
	screenSeen
	listViewed
	searched
	viewed
	added
	checkedOut
	checkoutFailed
	ordered
	refunded
	crashed
	appOpened
	identified
	grouped
	pushed
	pushTapped
	boxStarted
	boxRenewed
	boxSkipped
	boxCancelled
	nonsense // of a broken sender; detail is its fault
)

func (w what) String() string {
	return [...]string{"Page", "Screen", "Product List Viewed", "Products Searched", "Product Viewed", "Product Added", "Checkout Started",
		"Checkout Failed", "Order Completed", "Order Refunded", "Application Crashed", "Application Opened", "Identify", "Group",
		"Push Notification Received", "Push Notification Tapped", "Subscription Started", "Subscription Renewed", "Subscription Skipped",
		"Subscription Cancelled", "(nonsense)"}[w]
}

// source that sends it.
type source uint8

const (
	web source = iota
	app
	server
	sources
)

func (s source) String() string { return [...]string{"web", "app", "server"}[s] }

// told is what the sender says of who it is.
type told uint8

const (
	tellsUser told = 1 << iota
	tellsDevice
	tellsMail
	tellsPhone
	mistyped // the address is somebody else's
	invented // the address is nobody's
)

// marks are the faults of an event, and what else it says.
type marks uint8

const (
	totalAsText marks = 1 << iota
	notInStock
	noConsent
	cheapFirst // sorted by price
)

type campaign uint8

const (
	noCampaign campaign = iota
	newsletter
	searchAds
	social
	affiliate
)

// happening is one event before it is written, without pointers and small: a busy day has many. Names, baskets and contexts follow from it.
type happening struct {
	at, arrives int64 // true times, ms
	device      uint64
	person      int32
	nth         uint32 // of the person's
	order       uint32
	product     int32
	cents       int32
	ahead       int32 // s by which the sender's clock is
	again       int32 // ms after it was sent first; 0 is the first time
	what        what
	source      source
	told        told
	marks       marks
	campaign    campaign
	detail      uint8
	day         int16 // that made it: its time may lie after midnight, and prices are the day's
}

// put keeps a happening until it arrives.
func (l *lives) put(e happening) {
	if l.silent || e.arrives >= l.w.end {
		return
	}
	day, midnight := l.day, &l.w.calendar.midnight
	e.arrives = max(e.arrives, midnight[day])
	for day < l.day+ahead-1 && e.arrives >= midnight[day+1] {
		day++
	}
	l.coming[day%ahead] = append(l.coming[day%ahead], e)
}

// arrived returns what arrives on the day lived last, in order, until the next day is lived.
func (l *lives) arrived() []happening {
	slot := &l.coming[(l.day-1)%ahead]
	all := *slot
	*slot, l.spare = nil, all
	slices.SortFunc(all, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.arrives, b.arrives), cmp.Compare(a.person, b.person), cmp.Compare(a.nth, b.nth), cmp.Compare(a.again, b.again))
	})
	if l.w.from > 0 {
		all = slices.DeleteFunc(all, func(e happening) bool { return e.arrives-int64(e.again) < l.w.from })
	}
	return all
}

// happened makes an event that no visit carries: the server's.
func (l *lives) happened(n int, p *person, what what, source source, at int64) happening {
	p.sent++
	e := happening{at: at, arrives: at, person: int32(n), nth: p.sent, what: what, source: source, day: int16(l.day)}
	if !p.is(allowsAnalytics) {
		e.marks |= noConsent
	}
	return e
}

// atServer makes an event of the shop's own software, which names guests by the browser that they ordered with.
func (l *lives) atServer(n int, p *person, what what, day int, hour float64) happening {
	e := l.happened(n, p, what, server, l.w.calendar.midnight[day]+int64(hour*msPerHour))
	e.arrives += 2000
	e.told = tellsUser
	if !p.is(hasAccount) {
		e.told = tellsDevice | tellsMail
		e.device = device(Browser, n, int(p.generations[0])*4)
	}
	return e
}
