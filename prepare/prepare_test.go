package prepare_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kith/event"
	"kith/prepare"
)

// wrap makes a raw line around an event.
func wrap(event string) []byte {
	return []byte(`{"seq":1,"received_at":1764032527123456,"source":"w","source_id":1,"door":"events","event":` + event + "}\n")
}

func TestLimitsNameThemselves(t *testing.T) {
	nested := func(depth int) string { // the event is the first level
		return `{"type":"page","properties":` + strings.Repeat(`{"a":`, depth-2) + `{}` + strings.Repeat(`}`, depth-2) + `}`
	}
	wide := func(members int) string {
		return `{"type":"page","traits":{"a":1` + strings.Repeat(`,"a":1`, members-3) + `}}`
	}
	long := func(bytes int) string {
		return `{"type":"page","x":"` + strings.Repeat("x", bytes-len(`{"type":"page","x":""}`)) + `"}`
	}
	for _, c := range []struct {
		name, event, reason, place, says string
	}{
		{"64 deep", nested(64), "", "", ""},
		{"65 deep", nested(65), "too_deep", "properties", "65"},
		{"2,000 members", wide(2000), "", "", ""},
		{"2,001 members", wide(2001), "too_many_properties", "traits", "2001"},
		{"1 MiB", long(1 << 20), "", "", ""},
		{"1 MiB and a byte", long(1<<20 + 1), "too_large", "$", "1048577"},
	} {
		p := prepare.New(prepare.Options{})
		var e event.Event
		o := p.Line(wrap(c.event), &e)
		if o.Reason != c.reason || o.Place != c.place || !strings.Contains(p.Explain(o), c.says) {
			t.Errorf("%s: %+v %q, want %s at %s that says %s", c.name, o, p.Explain(o), c.reason, c.place, c.says)
		}
		if e.Seq != 1 || string(e.Source) != "w" {
			t.Errorf("%s: has lost its seq or source", c.name)
		}
	}
}

func TestTimesAreRFC3339(t *testing.T) {
	for text, want := range map[string]string{
		"2025-11-25T01:02:03Z":                    "2025-11-25T01:02:03Z",
		"2025-11-25t01:02:03z":                    "2025-11-25T01:02:03Z",
		"2025-11-25 01:02:03Z":                    "2025-11-25T01:02:03Z",
		"2025-11-25T01:02:03.1Z":                  "2025-11-25T01:02:03.1Z",
		"2025-11-25T01:02:03,12345678901234567Z":  "2025-11-25T01:02:03.123456Z",
		"2025-11-25T01:02:03+05:45":               "2025-11-24T19:17:03Z",
		"2025-11-25T01:02:03.5-0330":              "2025-11-25T04:32:03.5Z",
		"2024-02-29T00:00:00Z":                    "2024-02-29T00:00:00Z",
		"2000-02-29T00:00:00Z":                    "2000-02-29T00:00:00Z",
		"2016-12-31T23:59:60Z":                    "2017-01-01T00:00:00Z",
		"1990-01-01T00:00:00Z":                    "1990-01-01T00:00:00Z",
		"2025-02-29T00:00:00Z":                    "",
		"1900-02-29T00:00:00Z":                    "",
		"2025-04-31T00:00:00Z":                    "",
		"2025-13-01T00:00:00Z":                    "",
		"2025-00-01T00:00:00Z":                    "",
		"2025-11-00T00:00:00Z":                    "",
		"2025-11-25T24:00:00Z":                    "",
		"2025-11-25T01:60:00Z":                    "",
		"2025-11-25T01:02:61Z":                    "",
		"2025-11-25T01:02:03":                     "",
		"2025-11-25T01:02:03.Z":                   "",
		"2025-11-25T01:02:03+24:00":               "",
		"2025-11-25T01:02:03+01":                  "",
		"2025-11-25T01:02:03Z ":                   "",
		"2025-11-25":                              "",
		"20251125T010203Z":                        "",
		"2O25-11-25T01:02:03Z":                    "",
		"2025-11-25T01:02:03Europe/Berlin":        "",
		"1764032527123":                           "",
		"Tue Nov 25 2025 01:02:03 GMT+0000 (UTC)": "",
	} {
		p := prepare.New(prepare.Options{})
		var e event.Event
		o := p.Line(wrap(`{"type":"page","timestamp":"`+text+`"}`), &e)
		switch {
		case want == "" && o.Reason != "time_unreadable":
			t.Errorf("%s: %+v, want time_unreadable", text, o)
		case want != "" && time.UnixMicro(e.OwnTS).UTC().Format(time.RFC3339Nano) != want:
			t.Errorf("%s: %v, want %s", text, time.UnixMicro(e.OwnTS).UTC(), want)
		}
	}
}

func TestEveryDayOfTheCalendar(t *testing.T) {
	p := prepare.New(prepare.Options{Earliest: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)})
	var e event.Event
	for day := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2105; day = day.AddDate(0, 0, 1) {
		p.Line(wrap(`{"type":"page","timestamp":"`+day.Format(time.RFC3339)+`"}`), &e)
		if e.OwnTS != day.UnixMicro() {
			t.Fatalf("%v: got %v", day, time.UnixMicro(e.OwnTS).UTC())
		}
	}
}

func TestAgents(t *testing.T) {
	const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	for _, c := range []struct{ context, want string }{
		{`"userAgent":"` + chrome + `"`, "Chrome 141 on Windows 10, desktop, bot false"},
		{`"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"`, "Safari 18 on macOS 10.15.7, desktop, bot false"},
		{`"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"`, "Safari 18 on iOS 18.5, phone, bot false"},
		{`"userAgent":"Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"`, "Chrome 141 on Android 15, phone, bot false"},
		{`"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"`, "Firefox 143 on Linux , desktop, bot false"},
		{`"userAgent":"Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"`, "Chrome 120 on Android 9, phone, bot false"},
		{`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36"`, "bot true"},
		{`"userAgent":"python-requests/2.32.3"`, "bot true"},
		{`"os":{"name":"android","version":"15"},"device":{"type":"android","model":"Pixel 8"}`, " 0 on Android 15, phone, bot false"},
		{`"os":{"name":"iPadOS","version":"18.5"},"device":{"type":"ios"}`, " 0 on iPadOS 18.5, tablet, bot false"},
		{`"device":{"type":"ios","model":"iPhone15,2"}`, " 0 on  , phone, bot false"},
		{`"device":{"type":"Tablet"},"userAgent":"` + chrome + `"`, "Chrome 141 on Windows 10, tablet, bot false"},
		{`"os":{"name":"Windows","version":"11"},"userAgent":"` + chrome + `"`, "Chrome 141 on Windows 11, desktop, bot false"},
		{`"device":{"id":"x"}`, ""},
		{`"locale":"de"`, ""},
	} {
		p := prepare.New(prepare.Options{Agents: 1}) // every other agent drives the last one out
		for range 2 {
			var e event.Event
			p.Line(wrap(`{"type":"page","context":{`+c.context+`}}`), &e)
			if got := describe(&e)["Agent"]; !strings.HasSuffix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%s: %q, want %q", c.context, got, c.want)
			}
			p.Line(wrap(`{"type":"page","context":{"userAgent":"other"}}`), &e)
		}
	}
}

func TestControlLines(t *testing.T) {
	p := prepare.New(prepare.Options{})
	for line, want := range map[string]bool{
		`{"seq":1,"received_at":2,"control":{"kind":"source_cursor"}}` + "\n": true,
		`{"seq":1,"received_at":2,"source":"control","event":{}}` + "\n":      false,
		string(wrap(`{"control":1}`)):                                         false,
		`{}`:                                                                  false,
		``:                                                                    false,
	} {
		if got := p.IsControl([]byte(line)); got != want {
			t.Errorf("IsControl(%q) = %v", line, got)
		}
	}
}

// The texts of all events of a run are good until Reset, also those in scratch space that has grown since.
func TestTextsLastUntilReset(t *testing.T) {
	p := prepare.New(prepare.Options{})
	const run = 2000
	for range 2 {
		events := make([]event.Event, run)
		for i := range events {
			p.Line(wrap(fmt.Sprintf(`{"type":"page","name":"\u0041%d","context":{"x":%d}}`, i, i)), &events[i])
		}
		for i := range events {
			if name, context := string(events[i].Name), string(events[i].Context); name != fmt.Sprintf("A%d", i) || context != fmt.Sprintf(`{"x":%d}`, i) {
				t.Fatalf("event %d: %s %s", i, name, context)
			}
		}
		p.Reset()
	}
}

func TestNothingIsAllocatedInTheSteadyState(t *testing.T) {
	lines, _ := traffic(100)
	lines = append(lines, wrap(`{"type":"page","name":"\u0041","userId":1,"context":{"page":{"url":"https://A.example/?utm_source=a%20b","x":1},"c\u0061":1}}`))
	p := prepare.New(prepare.Options{})
	var e event.Event
	run := func() {
		for _, line := range lines {
			p.IsControl(line)
			if o := p.Line(line, &e); o.Result != event.Accepted {
				t.Fatal(o)
			}
		}
		p.Reset()
	}
	run()
	// Names with escapes take a few bytes at a time of space that is not used twice.
	if n := testing.AllocsPerRun(50, run); n > 0 {
		t.Errorf("%v allocations in a run of %d lines", n, len(lines))
	}
}

func TestCountersNameTheColumn(t *testing.T) {
	p := prepare.New(prepare.Options{})
	var e event.Event
	for _, total := range []string{`"84,90"`, `"12.50"`, `true`, `1e15`, `null`, `84.90`} {
		p.Line(wrap(`{"type":"page","properties":{"total":`+total+`,"currency":{}}}`), &e)
	}
	want := []prepare.Counter{{Column: "total", Conflicts: 4}, {Column: "currency", Conflicts: 6}}
	if got := p.Counters(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestADoorHasItsOwnLimit holds what the doors say of an event's size to what becomes of it: Segment's take 32 kB.
func TestADoorHasItsOwnLimit(t *testing.T) {
	big := `{"type":"track","event":"E","userId":"u","properties":{"text":"` + strings.Repeat("x", 33<<10) + `"}}`
	for door, want := range map[string]string{"batch": "too_large", "events": "", "import": ""} {
		p := prepare.New(prepare.Options{})
		var e event.Event
		line := strings.Replace(string(wrap(big)), `"door":"events"`, `"door":"`+door+`"`, 1)
		if got := p.Line([]byte(line), &e); got.Reason != want {
			t.Errorf("door %s: got %q, want %q", door, got.Reason, want)
		} else if want != "" && !strings.Contains(p.Explain(got), "at most 32768") {
			t.Errorf("door %s: %s", door, p.Explain(got))
		}
	}
}
