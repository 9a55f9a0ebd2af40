package test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// load makes realistic events of at least 800 bytes: page views and tracks of a shop, from 500,000 people with 3,000
// user agents, 0.5 % of them late by up to 36 hours, 0.5 % a resend of one of the last thousand.
type load struct {
	rng     *rand.Rand
	worker  int
	made    int64
	resends int64
	last    [1000][]byte // events that may be sent again
}

func newLoad(worker int) *load {
	return &load{rng: rand.New(rand.NewPCG(uint64(worker), 1)), worker: worker}
}

const (
	people = 500_000
	agents = 3_000
)

// batch appends an array of n events to dst and returns it with how many of them are resends.
func (l *load) batch(dst []byte, n int, now time.Time) ([]byte, int) {
	dst = append(dst, '[')
	again := 0
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if old := l.last[l.rng.IntN(len(l.last))]; old != nil && l.rng.IntN(200) == 0 {
			dst = append(dst, old...)
			again++
			continue
		}
		start := len(dst)
		dst = l.event(dst, now)
		slot := &l.last[l.made%int64(len(l.last))]
		*slot = append((*slot)[:0], dst[start:]...)
	}
	l.resends += int64(again)
	return append(dst, ']'), again
}

func (l *load) event(dst []byte, now time.Time) []byte {
	l.made++
	r := l.rng
	person, product := r.IntN(people), r.IntN(4000)
	at := now
	if r.IntN(200) == 0 {
		at = at.Add(-time.Duration(r.Int64N(int64(36 * time.Hour))))
	}
	kind := r.IntN(100)
	switch {
	case kind < 62:
		dst = append(dst, `{"type":"track","event":"`...)
		dst = append(dst, [...]string{"Product Viewed", "Product Added", "Product Clicked", "Checkout Started", "Order Completed", "Search Performed"}[min(r.IntN(12), 5)]...)
		dst = append(dst, `"`...)
	case kind < 92:
		dst = append(dst, `{"type":"page","name":"Product"`...)
	default:
		dst = append(dst, `{"type":"identify","traits":{"email":"person`...)
		dst = append(strconv.AppendInt(dst, int64(person), 10), `@example.test","plan":"`...)
		dst = append(append(dst, [...]string{"free", "plus", "pro"}[person%3]...), `","country":"DE","newsletter":true}`...)
	}
	dst = append(dst, `,"messageId":"`...)
	dst = fmt.Appendf(dst, "%08x-%04x-4%03x-%04x-%012x", r.Uint32(), l.worker, r.IntN(4096), 0x8000|r.IntN(0x4000), l.made)
	dst = append(dst, `","anonymousId":"`...)
	dst = fmt.Appendf(dst, "%08x-1111-4222-8333-%012x", person*2654435761%(1<<32), person)
	if person%3 == 0 {
		dst = append(strconv.AppendInt(append(dst, `","userId":"u-`...), int64(person), 10), `","timestamp":"`...)
	} else {
		dst = append(dst, `","timestamp":"`...)
	}
	dst = at.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","context":{"ip":"203.0.113.`...)
	dst = strconv.AppendInt(dst, int64(person%250), 10)
	agent := person % agents
	dst = append(dst, `","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/`...)
	dst = fmt.Appendf(dst, "%d.0.%d.%d", 90+agent%50, 1000+agent, agent%97)
	dst = append(dst, ` Safari/537.36","locale":"de-DE","timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"next-1.70.0"},`...)
	dst = append(dst, `"page":{"url":"https://shop.example.test/p/`...)
	dst = strconv.AppendInt(dst, int64(product), 10)
	dst = append(dst, `?utm_source=news&utm_medium=email&utm_campaign=autumn`...)
	dst = strconv.AppendInt(dst, int64(product%12), 10)
	dst = append(dst, `","path":"/p/`...)
	dst = strconv.AppendInt(dst, int64(product), 10)
	dst = append(dst, `","title":"Wool coat number `...)
	dst = strconv.AppendInt(dst, int64(product), 10)
	dst = append(dst, ` | Example shop","referrer":"https://www.example.org/search?q=wool+coat"},"screen":{"width":1440,"height":900}},`...)
	dst = append(dst, `"properties":{"product_id":"p-`...)
	dst = strconv.AppendInt(dst, int64(product), 10)
	dst = append(dst, `","name":"Wool coat","category":"Coats","brand":"Quillfern","variant":"grey","price":`...)
	dst = fmt.Appendf(dst, "%d.%02d", 10+product%190, product%100)
	dst = append(dst, `,"quantity":1,"currency":"EUR","position":`...)
	dst = strconv.AppendInt(dst, int64(r.IntN(40)), 10)
	return append(dst, `}}`...)
}
