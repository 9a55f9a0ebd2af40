package shop

import "time"

const (
	msPerHour = 3_600_000
	msPerDay  = 24 * msPerHour
	ahead     = 64 // days in the calendar after the last
)

// calendar is the shop's: it lies in Berlin. Time zones are computed here, so that no machine's own can matter.
type calendar struct {
	midnight [History + 1 + ahead]int64 // local, in UTC milliseconds
	weekday  [History + 1 + ahead]time.Weekday
	date     [History + 1 + ahead]int // month*100 + day
	visits   [History + 1]float64     // how busy the day is
	orders   [kinds][History + 1]float64
}

func newCalendar(end int64) (c calendar) {
	local := time.UnixMilli(end + offset(end)*msPerHour).UTC()
	first := time.Date(local.Year(), local.Month(), local.Day()-History, 0, 0, 0, 0, time.UTC)
	for d := range c.midnight {
		day := first.AddDate(0, 0, d)
		at := day.UnixMilli() - msPerHour
		c.midnight[d] = day.UnixMilli() - offset(at)*msPerHour
		c.weekday[d] = day.Weekday()
		c.date[d] = int(day.Month())*100 + day.Day()
		if d <= History {
			c.season(d, day)
		}
	}
	return c
}

// offset of Berlin against UTC, in hours: 2 from the last Sunday of March to that of October, at 01:00 UTC.
func offset(ms int64) int64 {
	t := time.UnixMilli(ms).UTC()
	change := func(month time.Month) int64 {
		last := time.Date(t.Year(), month, 31, 1, 0, 0, 0, time.UTC)
		return last.AddDate(0, 0, -int(last.Weekday())).UnixMilli()
	}
	if ms >= change(time.March) && ms < change(time.October) {
		return 2
	}
	return 1
}

// season says how the day stands out: weekday, Christmas, Black Friday, sales, summer, days for gifts.
func (c *calendar) season(d int, day time.Time) {
	ordering := [7]float64{1.22, 1.08, .98, .97, .98, .84, .93}[day.Weekday()] // Sunday first
	looking := [7]float64{1.18, 1.06, .99, .97, .98, .86, .96}[day.Weekday()]
	since := func(month time.Month, dayOfMonth int) float64 {
		return float64(day.YearDay() - time.Date(day.Year(), month, dayOfMonth, 0, 0, 0, 0, time.UTC).YearDay())
	}
	busy, sale, gifts := 1.0, 1.0, .04
	switch md := c.date[d]; {
	case md >= 1110 && md <= 1220:
		busy = 1 + float64(.75*since(time.November, 10)/40)
	case md >= 1221 && md <= 1226:
		busy = .55
	case md >= 1227 || md <= 115:
		busy, sale = .9, 1.9
	case md >= 116 && md <= 220, md >= 715 && md <= 825:
		busy = .86
	case md >= 620 && md <= 705:
		sale = 1.6
	}
	switch md := c.date[d]; {
	case md >= 1108 && md <= 1222:
		x := since(time.November, 8) / 24
		gifts = .2 + float64(4.4*min(1, x*x))
	case md >= 428 && md <= 512:
		gifts = 2.6
	case md >= 205 && md <= 213:
		gifts = 1.6
	}
	friday, hunting := 1.0, 1.0
	if n := sinceBlackFriday(day); n >= 0 && n <= 3 {
		friday, hunting = 1.9, 4.5
	}
	c.visits[d] = looking * busy * (1 + float64(.5*(friday-1)))
	for k := range kinds {
		x := ordering * busy * friday
		switch k {
		case devoted:
			x = ordering * (1 + float64(.6*(busy-1))) * (1 + float64(.4*(friday-1)))
		case bargain:
			x = ordering * busy * hunting * sale
		case gifter:
			x = ordering * gifts
		case box:
			x = ordering
		}
		c.orders[k][d] = x
	}
}

// sinceBlackFriday counts days since the Friday after the fourth Thursday of November.
func sinceBlackFriday(day time.Time) int {
	first := time.Date(day.Year(), time.November, 1, 0, 0, 0, 0, time.UTC)
	thursday := (int(time.Thursday) - int(first.Weekday()) + 7) % 7
	return day.YearDay() - (first.YearDay() + thursday + 22)
}

// hunt says whether the day brings bargain hunters.
func (c *calendar) hunt(d int, above float64) bool { return c.orders[bargain][d] > above }
