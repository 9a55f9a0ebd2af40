package shop

import (
	"strconv"
	"time"
)

// writer writes happenings as the JSON of Segment's libraries. Its methods append to text.
type writer struct {
	w    *World
	text []byte

	e      *happening
	n      int // whose it is
	p      *person
	guest  person // one who is no customer
	pieces [24]item
}

func (x *writer) put(s ...string) {
	for _, s := range s {
		x.text = append(x.text, s...)
	}
}

func (x *writer) integer(n int) { x.text = strconv.AppendInt(x.text, int64(n), 10) }

func (x *writer) boolean(b bool) { x.text = strconv.AppendBool(x.text, b) }

func (x *writer) cents(c int32) {
	x.integer(int(c / 100))
	x.put(".")
	x.text = append(x.text, byte('0'+c%100/10), byte('0'+c%10))
}

func (x *writer) uuid(payload uint64) { x.text = x.w.appendUUID(x.text, payload) }

// write makes text the event.
func (x *writer) write(l *lives, e *happening) {
	x.text, x.e, x.n = x.text[:0], e, int(e.person)
	if x.n < x.w.customers {
		x.p = &l.people[x.n]
	} else {
		x.guest = x.w.stranger(x.n)
		x.p = &x.guest
	}
	if e.what == nonsense {
		x.nonsense()
		return
	}
	x.head()
	x.who()
	x.time()
	switch e.what {
	case identified:
		x.traits()
	case grouped:
		x.put(`,"traits":{"name":"Made-up Works no. `)
		x.integer(x.n / 120)
		x.put(`","plan":"business"}`)
	default:
		x.put(`,"properties":{`)
		x.properties()
		x.put(`}`)
	}
	x.context()
	x.put(`}`)
}

var pages = [...]string{"Home", "New in", "Product", "Sale", "Help"}

// head is the type of the call, and its name.
func (x *writer) head() {
	page := pages[int(x.e.nth)%len(pages)]
	switch x.e.what {
	case pageSeen:
		x.put(`{"type":"page","name":"`, page, `"`)
	case screenSeen:
		x.put(`{"type":"screen","name":"`, page, `"`)
	case identified:
		x.put(`{"type":"identify"`)
	case grouped:
		x.put(`{"type":"group","groupId":"org-`)
		x.integer(x.n / 120)
		x.put(`"`)
	default:
		x.put(`{"type":"track","event":"`, x.name(), `"`)
	}
}

func (x *writer) name() string {
	if x.e.what == viewed && x.e.source == app && !x.p.android && wrongCase.has(int(x.e.day)) {
		return "Product viewed"
	}
	return x.e.what.String()
}

func (x *writer) who() {
	e := x.e
	x.put(`,"messageId":"`)
	x.uuid(message(x.n, e.nth))
	x.put(`"`)
	if e.told&tellsDevice != 0 {
		x.put(`,"anonymousId":"`)
		x.uuid(e.device)
		x.put(`"`)
	}
	if e.told&tellsUser != 0 {
		second := x.p.is(hasSecondAccount) && scramble(e.device^uint64(e.order))%3 == 0
		x.put(`,"userId":"`)
		x.text = x.w.appendUser(x.text, x.n, second)
		x.put(`"`)
	}
}

var winter = time.FixedZone("", 3600)

func (x *writer) time() {
	at := time.UnixMilli(x.e.at + int64(x.e.ahead)*1000).UTC()
	if x.p.is(sendsOffset) {
		at = at.In(winter)
	}
	x.put(`,"timestamp":"`)
	x.text = at.AppendFormat(x.text, stampLayout)
	x.put(`"`)
}

// address is the e-mail address as it was told, typing errors and all.
func (x *writer) address() string {
	e := x.e
	switch {
	case e.told&invented != 0:
		return nobodies[int(e.nth)%len(nobodies)]
	case e.told&mistyped != 0:
		r := keyed(x.w.seed, forAddress, uint64(x.n), uint64(e.nth)+1)
		other := r.below(x.w.customers)
		p := x.w.birth(other)
		return x.w.mail(other, &p, false)
	}
	return x.w.mail(x.n, x.p, x.p.is(changedMail))
}

func (x *writer) traits() {
	first, surname := x.w.name(x.n, x.p)
	x.put(`,"traits":{"email":"`, x.address(), `","firstName":"`, first, `","lastName":"`, surname, `"`)
	if x.e.told&tellsPhone != 0 {
		x.put(`,"phone":"`, x.w.phone(x.n, x.p), `"`)
	}
	x.put(`,"newsletter":`)
	x.boolean(x.p.is(wantsNewsletter))
	x.put(`}`)
}

// nonsense is what a broken sender sends.
func (x *writer) nonsense() {
	kind, event, rest := `"type":"track",`, `"event":"Product Viewed",`, ""
	switch fault(x.e.detail) {
	case notUTF8:
		event = "\"event\":\"Product \xff\xfeViewed\","
	case unknownType:
		kind = `"type":"trak",`
	case noType:
		kind = ""
	case noEvent:
		event = `"event":"",`
	case noTime:
		rest = `,"timestamp":"yesterday"`
	case at1970:
		rest = `,"timestamp":"1970-01-01T00:00:07.000Z"`
	case longName:
		event = `"event":"TypeError: Cannot read properties of undefined (reading 'price') at render (https://shop.quillfern.test/static/shop.js:1:40417) ` +
			`at update (https://shop.quillfern.test/static/shop.js:1:39118) at commit (https://shop.quillfern.test/static/shop.js:1:52290)",`
	}
	x.put(`{`, kind, event, `"messageId":"`)
	x.uuid(message(x.n, x.e.nth))
	x.put(`","anonymousId":"`)
	x.uuid(x.e.device)
	x.put(`"`, rest)
	if fault(x.e.detail) == cutOff {
		x.put(`,"proper`)
		return
	}
	x.put(`}`)
}
