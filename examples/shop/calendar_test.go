package shop

import (
	"testing"
	"time"
)

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("SKIPPED: the calendar is not held against tzdata, which is not here: %v", err)
	}
	for _, end := range []time.Time{end, time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), time.Date(2027, 1, 2, 23, 30, 0, 0, time.UTC), time.Date(2024, 10, 27, 1, 0, 0, 0, time.UTC)} {
		c := newCalendar(end.UnixMilli())
		local := end.In(berlin)
		for d := range c.midnight {
			want := time.Date(local.Year(), local.Month(), local.Day()-History+d, 0, 0, 0, 0, berlin)
			if c.midnight[d] != want.UnixMilli() || c.weekday[d] != want.Weekday() {
				t.Fatalf("day %d before %s begins at %s, want %s", d, end, time.UnixMilli(c.midnight[d]).UTC(), want.UTC())
			}
		}
	}
	for date, want := range map[string]int{"2025-11-27": -1, "2025-11-28": 0, "2024-11-29": 0, "2026-11-30": 3} {
		day, _ := time.Parse(time.DateOnly, date)
		if got := sinceBlackFriday(day); got != want {
			t.Errorf("%s is %d days after Black Friday, want %d", date, got, want)
		}
	}
}
