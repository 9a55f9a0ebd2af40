package test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// sourceNames are the two that a load comes from.
var sourceNames = [2]string{"web", "app"}

// noTime stands for an event without a time of its own.
const noTime = -1

// ledger knows every event of a load, and which of them the server has said that it keeps. An event is a number: its
// source is the number modulo 2 and its message id the number divided by 2, so both sources use the same ids. A resend
// is the same event with the same time of its own.
type ledger struct {
	history atomic.Bool // new events are not of today but of many days: the bulk lane

	mu     sync.Mutex
	rng    *rand.Rand
	next   [2]int   // the next new event of each source
	at     []int64  // by number: its own time in microseconds since 1970, noTime, or 0 if it was never sent
	kept   []bool   // by number: a 200 was read
	acks   []int    // numbers, in the order of their first 200
	unsure [2][]int // sent, and nobody answered: to be sent again
	resent int      // because nobody had answered
	again  int      // although somebody had
}

func newLedger() *ledger { return &ledger{rng: rand.New(rand.NewPCG(20, 26)), next: [2]int{0, 1}} }

// historyDays is over how many days history is spread: more than the lake keeps tails of their own for.
const historyDays = 12

// take returns the next n events that a source sends: first those that nobody answered for, then new ones, of which one
// in a hundred is accompanied by one that was kept already.
func (l *ledger) take(source, n int, now time.Time) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if unsure := l.unsure[source]; len(unsure) > 0 {
		n = min(n, len(unsure))
		batch := unsure[:n:n]
		l.unsure[source] = unsure[n:]
		l.resent += n
		return batch
	}
	batch := make([]int, 0, n+1)
	for range n {
		id := l.next[source]
		l.next[source] += 2
		for id >= len(l.at) {
			l.at, l.kept = append(l.at, 0), append(l.kept, false)
		}
		l.at[id] = l.time(now)
		batch = append(batch, id)
		if len(l.acks) > 0 && l.rng.IntN(100) == 0 {
			if old := l.acks[l.rng.IntN(len(l.acks))]; old%2 == source && l.at[old] != noTime {
				batch = append(batch, old)
				l.again++
			}
		}
	}
	return batch
}

func (l *ledger) time(now time.Time) int64 {
	switch {
	case l.history.Load():
		return now.UnixMicro() - (30*24+l.rng.Int64N(historyDays*24))*3600_000_000
	case l.rng.IntN(20) == 0:
		return noTime
	}
	return now.UnixMicro()
}

// body is the batch as a request of one of the two doors. Half of Segment's carry the time of sending.
func (l *ledger) body(batch []int, now time.Time) (path string, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segment := l.rng.IntN(2) == 0
	path, body = "/api/v1/events", append(body, '[')
	if segment {
		path, body = "/v1/batch", append(body[:0], `{"batch":[`...)
	}
	for i, n := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"type":"track","event":"Product Viewed","messageId":"m-%07d","userId":"u-%d","anonymousId":"%08x-1111-4222-8333-%012x",`, n/2, n%9973, n%9973*2654435761%(1<<32), n%9973)
		if at := l.at[n]; at != noTime {
			body = time.UnixMicro(at).UTC().AppendFormat(append(body, `"timestamp":"`...), "2006-01-02T15:04:05.000000Z")
			body = append(body, `",`...)
		}
		body = fmt.Appendf(body, `"context":{"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0","page":{"url":"https://shop.example.test/p/%d?utm_source=news"}},"properties":{"product_id":"p-%d","price":%d.5,"note":"%s"}}`,
			100+n%40, 100+n%40, n%4000, n%4000, n%200, strings.Repeat(strconv.Itoa(n*7919), 4))
	}
	body = append(body, ']')
	if segment && l.rng.IntN(2) == 0 {
		body = now.UTC().AppendFormat(append(body, `,"sentAt":"`...), "2006-01-02T15:04:05.000Z")
		body = append(body, '"')
	}
	if segment {
		body = append(body, '}')
	}
	return path, body
}

// ack notes that a 200 was read for the batch.
func (l *ledger) ack(batch []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range batch {
		if !l.kept[n] {
			l.kept[n] = true
			l.acks = append(l.acks, n)
		}
	}
}

// fail notes that nobody knows what became of the batch.
func (l *ledger) fail(source int, batch []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure[source] = append(l.unsure[source], batch...)
}

// acked returns the events with a 200 so far, in order. The slice is never written to.
func (l *ledger) acked() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks[:len(l.acks):len(l.acks)]
}

// sent returns how many different events were ever sent, and how many of them are waiting to be sent again.
func (l *ledger) sent() (all, unsure int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return (l.next[0] + l.next[1] - 1) / 2, len(l.unsure[0]) + len(l.unsure[1])
}

// number is the event that a row is, or -1.
func (l *ledger) number(source, messageID string) int {
	id, found := strings.CutPrefix(messageID, "m-")
	n, err := strconv.Atoi(id)
	if !found || err != nil {
		return -1
	}
	switch source {
	case sourceNames[0]:
		n = 2 * n
	case sourceNames[1]:
		n = 2*n + 1
	default:
		return -1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= len(l.at) || l.at[n] == 0 {
		return -1 // never sent
	}
	return n
}

// set is a set of events.
type set []uint64

func (s *set) has(n int) bool { return n>>6 < len(*s) && (*s)[n>>6]>>(n&63)&1 == 1 }

// add reports whether the event is new.
func (s *set) add(n int) bool {
	for n>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	had := s.has(n)
	(*s)[n>>6] |= 1 << (n & 63)
	return !had
}
