package prepare

import (
	"kith/event"
	"kith/internal/jsonscan"
)

// stamp is a point in time as a member gives it.
type stamp struct {
	us    int64 // microseconds since 1970 UTC
	given given
}

type given uint8

const (
	absent given = iota
	readable
	unreadable
)

// instant takes the value under the cursor as a time: RFC 3339, or milliseconds since 1970 as a number. Null and the
// empty text are no time; anything else is unreadable.
func (p *Preparer) instant(to *stamp) {
	c := &p.c
	*to = stamp{given: unreadable}
	switch c.Kind() {
	case jsonscan.String:
		text := p.spell(c.String())
		if text == nil {
			to.given = absent
		} else if us, ok := parseTime(text); ok {
			*to = stamp{us, readable}
		}
	case jsonscan.Number:
		// units counts ten-thousandths: of a millisecond, tenths of a microsecond.
		if n, ok := units(c.Skip()); ok && n > -latest*10 && n < latest*10 {
			*to = stamp{floorDiv(n, 10), readable}
		}
	case jsonscan.Null:
		c.Skip()
		to.given = absent
	default:
		c.Skip()
	}
}

const (
	day = 24 * 3600 * 1_000_000
	// latest bounds times to the year 9999, what RFC 3339 can say, so that their differences cannot overflow.
	latest = 253_402_300_800 * 1_000_000
)

// clock gives the event its time by the rules of the package comment.
func (p *Preparer) clock(e *event.Event) (reason, place string) {
	l := &p.l
	own, place := l.timestamp, "timestamp"
	if own.given == absent {
		own, place = l.original, "originalTimestamp"
	}
	sent := p.sentAt(e)
	switch own.given {
	case absent:
		e.TS = e.ReceivedAt
		return "", ""
	case unreadable:
		return "time_unreadable", place
	}
	e.OwnTS, e.HasTime, e.TS = own.us, true, own.us
	if off := e.ReceivedAt - sent.us; sent.given == readable && (off > p.tolerance || off < -p.tolerance) {
		e.TS += off
		e.TimeFix, e.OriginalTS = p.skew, own.us
	}
	if e.TS > e.ReceivedAt+day {
		e.TS = e.ReceivedAt
		e.TimeFix, e.OriginalTS = p.future, own.us
	}
	if e.TS < p.earliest {
		return "time_too_early", place
	}
	return "", ""
}

// sentAt fills SentAt, and returns the part of it that tells how wrong the client's clock is.
func (p *Preparer) sentAt(e *event.Event) stamp {
	l := &p.l
	sent := l.ownSent
	if sent.given == absent {
		sent = l.sent
	}
	if sent.given == unreadable {
		p.conflict(colSentAt)
	}
	if sent.given != readable || sent.us == 0 { // some clients write 0 for none
		return stamp{}
	}
	e.SentAt = sent.us
	if l.ownSent.given == absent && l.claimed != 0 {
		return stamp{}
	}
	return sent
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// parseTime reads RFC 3339 with a fraction of any length, of which microseconds are kept, and an offset; that of ISO
// 8601 without a colon, which some SDKs write, too. A leap second is the first second after it.
func parseTime(t []byte) (us int64, ok bool) {
	if len(t) < len("2006-01-02T15:04:05Z") || t[4] != '-' || t[7] != '-' || t[13] != ':' || t[16] != ':' ||
		t[10] != 'T' && t[10] != 't' && t[10] != ' ' {
		return 0, false
	}
	century, year := two(t), two(t[2:])
	month, date := two(t[5:]), two(t[8:])
	hour, minute, second := two(t[11:]), two(t[14:]), two(t[17:])
	if century > 99 || year > 99 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	year += century * 100
	if month < 1 || month > 12 || date < 1 || date > daysIn(year, month) {
		return 0, false
	}
	us = (daysSince1970(year, month, date)*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second)) * 1_000_000
	fraction, rest, ok := parseFraction(t[19:])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(rest)
	return us + fraction - offset*60_000_000, ok
}

func parseFraction(t []byte) (us int64, rest []byte, ok bool) {
	if t[0] != '.' && t[0] != ',' {
		return 0, t, true
	}
	t = t[1:]
	digits := 0
	for digits < len(t) && t[digits]-'0' < 10 {
		if digits < 6 {
			us = us*10 + int64(t[digits]-'0')
		}
		digits++
	}
	for i := digits; i < 6; i++ {
		us *= 10
	}
	return us, t[digits:], digits > 0
}

// parseOffset reads what follows the time: Z, +hh:mm or +hhmm.
func parseOffset(t []byte) (minutes int64, ok bool) {
	if len(t) == 1 {
		return 0, t[0]|0x20 == 'z'
	}
	if len(t) == 6 && t[3] == ':' {
		t = append(make([]byte, 0, 5), t[0], t[1], t[2], t[4], t[5]) // stays on the stack
	}
	if len(t) != 5 || t[0] != '+' && t[0] != '-' {
		return 0, false
	}
	hours, rest := two(t[1:]), two(t[3:])
	if hours > 23 || rest > 59 {
		return 0, false
	}
	minutes = int64(hours*60 + rest)
	if t[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

// two reads two digits; 255 is none.
func two(t []byte) int {
	tens, ones := t[0]-'0', t[1]-'0'
	if tens > 9 || ones > 9 {
		return 255
	}
	return int(tens)*10 + int(ones)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts in the Gregorian calendar, with years that begin in March, so that the leap day is the last.
func daysSince1970(year, month, date int) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	era := (year + 400) / 400 // year may be -1
	ofEra := year + 400 - era*400
	ofYear := (153*(month-3)+2)/5 + date - 1
	return int64(era-1)*146097 + int64(ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}
