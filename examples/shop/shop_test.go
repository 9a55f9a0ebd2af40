package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var end = time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)

func small() Options { return Options{Seed: 1, Customers: 300, End: end} }

// read calls fn with every line, and what it says where it is good.
func read(t *testing.T, w *World, fn func(*Line, map[string]any)) {
	t.Helper()
	var before time.Time
	err := w.Lines(func(l *Line) error {
		if l.Received.Before(before) || !l.Received.Before(w.End()) {
			t.Fatalf("%s arrives after %s", before, l.Received)
		}
		before = l.Received
		var object map[string]any
		if err := json.Unmarshal(l.AppendHistory(nil), &object); l.Broken == "" && err != nil {
			t.Fatalf("%v in %s", err, l.Text)
		}
		fn(l, object)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The sum is that of this world on every machine. It changes when the model does, and only then.
func TestSameBytes(t *testing.T) {
	const want = "fc3565f0b396ad78c4ad7c909ebd6915fee3de5d111ffe67232a9ae499f108ba"
	for range 2 {
		sum := sha256.New()
		var b []byte
		err := New(small()).Lines(func(l *Line) error {
			b = append(l.AppendHistory(append(b[:0], l.Source...)), '\n')
			sum.Write(b)
			return nil
		})
		if got := hex.EncodeToString(sum.Sum(nil)); err != nil || got != want {
			t.Errorf("sha256 %s, want %s (%v)", got, want, err)
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	o := small()
	a := New(o).Expected()
	o.Seed = 2
	if b := New(o).Expected(); a.Revenue == b.Revenue {
		t.Error("two seeds, one shop")
	}
}

// A world that writes nothing lives the same lives.
func TestQuietIsLoud(t *testing.T) {
	w := New(small())
	loud, quiet := w.begin(false), w.begin(true)
	for range History + 1 {
		loud.live()
		loud.arrived()
		quiet.live()
	}
	if !reflect.DeepEqual(loud.people, quiet.people) {
		t.Error("the lives differ")
	}
}

// A fraction of the days is the end of the whole.
func TestDays(t *testing.T) {
	o := small()
	var whole, part []string
	keep := func(to *[]string) func(*Line) error {
		return func(l *Line) error { *to = append(*to, string(l.Text)); return nil }
	}
	if err := New(o).Lines(keep(&whole)); err != nil {
		t.Fatal(err)
	}
	o.Days = 30
	w := New(o)
	if err := w.Lines(keep(&part)); err != nil {
		t.Fatal(err)
	}
	if x := w.Expected(); len(part) != x.Total() || len(part) < 500 || len(part) > len(whole)/4 {
		t.Fatalf("%d lines of %d, expected %d", len(part), len(whole), x.Total())
	}
	if !reflect.DeepEqual(part[100:], whole[len(whole)-len(part)+100:]) { // resends of what lies before may stand between the first
		t.Error("the days are not the last ones of the whole")
	}
}

func TestExpectedIsWhatTheLinesSay(t *testing.T) {
	w := New(small())
	got := Expected{Lines: map[string]int{}, Resends: map[string]int{}, Broken: map[string]int{}, Events: map[string]int{},
		Types: map[string]int{}, ByMonth: map[string]int64{}}
	seen := map[string]bool{}
	read(t, w, func(l *Line, e map[string]any) {
		got.Lines[l.Source]++
		if l.Broken != "" {
			got.Broken[l.Broken]++
			return
		}
		id := l.Source + e["messageId"].(string)
		if l.Again != seen[id] {
			t.Errorf("again is %v: %s", l.Again, l.Text)
		}
		if seen[id] {
			got.Resends[l.Source]++
			return
		}
		seen[id] = true
		got.Types[e["type"].(string)]++
		name, _ := e["event"].(string)
		if name == "" {
			return
		}
		got.Events[name]++
		properties := e["properties"].(map[string]any)
		switch name {
		case "Order Refunded":
			got.Refunds += int64(math.Round(100 * properties["total"].(float64)))
		case "Order Completed":
			got.Orders++
			if text, ok := properties["total"].(string); ok {
				var total float64
				if err := json.Unmarshal([]byte(strings.Replace(text, ",", ".", 1)), &total); err != nil {
					t.Error(err)
				}
				got.TextOrders++
				got.TextRevenue += int64(math.Round(100 * total))
				return
			}
			cents := int64(math.Round(100 * properties["total"].(float64)))
			at, err := time.Parse(time.RFC3339, e["timestamp"].(string))
			if err != nil {
				t.Error(err)
			}
			got.Revenue += cents
			got.ByMonth[at.Add(-l.Ahead).UTC().Format("2006-01")] += cents
		}
	})
	if want := w.Expected(); !reflect.DeepEqual(got, want) {
		t.Errorf("the lines say\n%+v, expected is\n%+v", got, want)
	}
}

func TestFaultsArePlanted(t *testing.T) {
	o := small()
	o.Customers = 4000
	w := New(o)
	x := w.Expected()
	for f := range faults {
		if x.Broken[f.reason()] == 0 {
			t.Errorf("nothing is broken by %s", f.reason())
		}
	}
	if x.TextOrders == 0 || x.Events["Product viewed"] == 0 || x.Resends["web"] == 0 || x.Resends["app"] == 0 {
		t.Errorf("a fault is missing: %+v", x)
	}
	bots, ahead, offline := 0, 0, 0
	l := w.begin(false)
	for range History + 1 {
		l.live()
		for _, e := range l.arrived() {
			if e.arrives-e.at > msPerHour && e.again == 0 {
				offline++
			}
			if e.ahead != 0 {
				ahead++
			}
			if Device(e.device>>55) == Machine {
				bots++
			}
		}
	}
	if bots == 0 || ahead == 0 || offline == 0 {
		t.Errorf("%d events of bots, %d with a wrong clock, %d offline", bots, ahead, offline)
	}
}

// Every broken line is broken in the way that it says; a good one is good.
func TestBroken(t *testing.T) {
	o := small()
	o.Customers = 2000
	seen := map[string]bool{}
	err := New(o).Lines(func(l *Line) error {
		if l.Broken == "" {
			return nil
		}
		seen[l.Broken] = true
		var e struct {
			Type, Event, Timestamp string
		}
		line := l.AppendHistory(nil)
		if bad := json.Unmarshal(line, &e) != nil || !utf8.Valid(line); bad != (l.Broken == "not_json") {
			t.Errorf("%s: %s", l.Broken, line)
		}
		at, err := time.Parse(time.RFC3339, e.Timestamp)
		ok := map[string]bool{
			"not_json": true, "type_missing": e.Type == "", "type_unknown": e.Type == "trak", "event_missing": e.Type == "track" && e.Event == "",
			"time_unreadable": err != nil && e.Timestamp != "", "time_too_early": at.Year() == 1970, "name_too_long": len(e.Event) > 200,
		}
		if !ok[l.Broken] {
			t.Errorf("%s: %s", l.Broken, line)
		}
		return nil
	})
	if err != nil || len(seen) != 7 {
		t.Error(seen, err)
	}
}

// What is sealed in the ids, and what the numbers in the others are of, tells the true owner.
func TestOwners(t *testing.T) {
	w := New(small())
	customers := 0
	read(t, w, func(l *Line, e map[string]any) {
		if l.Broken != "" {
			return
		}
		number, _, ok := w.MessageOwner(e["messageId"].(string))
		if !ok {
			t.Fatalf("no owner: %s", l.Text)
		}
		class, owner := Browser, number
		if id, given := e["anonymousId"].(string); given {
			if class, owner, ok = w.DeviceOwner(id); !ok {
				t.Fatalf("no owner of the device: %s", l.Text)
			}
		}
		if class == Browser && owner != number || class == Phone && owner != number {
			t.Errorf("device of %d, message of %d: %s", owner, number, l.Text)
		}
		if number >= 300 {
			return
		}
		customers++
		if id, given := e["userId"].(string); given {
			if n, ok := w.UserOwner(id); !ok || n != number {
				t.Errorf("user is of %d, message of %d: %s", n, number, l.Text)
			}
		}
		if properties, _ := e["properties"].(map[string]any); properties["order_id"] != nil {
			if n, _, ok := w.OrderOwner(properties["order_id"].(string)); !ok || n != number {
				t.Errorf("order is of %d, message of %d: %s", n, number, l.Text)
			}
		}
	})
	if customers < 10_000 {
		t.Errorf("only %d events of customers", customers)
	}
	for n := range 300 {
		p := w.birth(n)
		if owner, ok := w.MailOwner(w.mail(n, &p, n%2 == 0)); !ok || owner != n && !p.is(sharesMailbox) {
			t.Errorf("the mail of %d is of %d", n, owner)
		}
	}
	for _, id := range []string{"", "u", "uu", "Q", "Q!", "u999999999999999999999", "00000000-0000-1000-8000-000000000000", "00000000-0000-4000-8000-00000000000g"} {
		_, _, message := w.MessageOwner(id)
		_, _, order := w.OrderOwner(id)
		if _, user := w.UserOwner(id); message || order || user {
			t.Errorf("%q has an owner", id)
		}
	}
}

func TestShares(t *testing.T) {
	o := small()
	o.Customers = 20_000
	l := New(o).begin(true)
	var counts [kinds]float64
	for _, p := range l.people {
		counts[p.kind]++
	}
	for k := range kinds {
		if got, want := counts[k]/20_000, traitsOf[k].share; math.Abs(got-want) > .01 {
			t.Errorf("%s: share %.3f, want %.3f", k, got, want)
		}
	}
}

// People leave, each kind for the reason that it is said to mind.
func TestWhyTheyLeave(t *testing.T) {
	o := small()
	o.Customers = 4000
	l := New(o).begin(true)
	for range History + 1 {
		l.live()
	}
	var why [kinds][triedOnce + 1]int
	for _, p := range l.people {
		if p.state == left {
			why[p.kind][p.reason]++
		}
	}
	for k, r := range map[kind]reason{devoted: unsolvedTicket, regular: lateParcel, bargain: priceRise, fitter: outOfStock, appNative: appError} {
		for other := range exposures {
			if other != r && why[k][other] >= why[k][r] {
				t.Errorf("%s leave %d times for reason %d, %d times for %d", k, why[k][r], r, why[k][other], other)
			}
		}
	}
	if once := why[tryer][triedOnce]; once < 100 {
		t.Errorf("only %d tried once", once)
	}
}

func TestTreatments(t *testing.T) {
	const day = 400
	outcome := func(a Action) (orders, bargains, boxes int) {
		o := small()
		o.Customers = 3000
		for n := range o.Customers {
			o.Treatments = append(o.Treatments, Treatment{n, day, a})
		}
		l := New(o).begin(true)
		for range History + 1 {
			l.live()
		}
		for _, p := range l.people {
			orders += int(p.orders)
			if p.kind == bargain {
				bargains += int(p.orders)
			}
			if p.kind == box && p.box == boxRuns {
				boxes++
			}
		}
		return orders, bargains, boxes
	}
	orders, bargains, boxes := outcome(NoAction)
	if o, _, _ := outcome(Placebo); o != orders {
		t.Errorf("a placebo makes %d orders of %d", o, orders)
	}
	if _, b, x := outcome(Discount); b <= bargains || x >= boxes {
		t.Errorf("a discount makes %d orders of bargain hunters, not %d, and keeps %d boxes, not %d", b, bargains, x, boxes)
	}
}

// Nothing in the data could be of a real person or reach a real host.
func TestOnlyDocumentationNames(t *testing.T) {
	host := regexp.MustCompile(`(?:https?://|@)([A-Za-z0-9.-]+)`)
	reserved := regexp.MustCompile(`(^|\.)(example\.(com|org|net)|test)$`)
	ranges := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
	hosts := map[string]bool{}
	read(t, New(small()), func(l *Line, e map[string]any) {
		for _, m := range host.FindAllSubmatch(l.Text, -1) {
			hosts[string(m[1])] = true
		}
		context, _ := e["context"].(map[string]any)
		if text, given := context["ip"].(string); given {
			ip := netip.MustParseAddr(text)
			if !ranges[0].Contains(ip) && !ranges[1].Contains(ip) && !ranges[2].Contains(ip) {
				t.Errorf("address %s", ip)
			}
		}
		if traits, _ := e["traits"].(map[string]any); traits["phone"] != nil {
			if phone := traits["phone"].(string); !strings.HasPrefix(phone, "+49305550") && !strings.HasPrefix(phone, "+49151555") {
				t.Errorf("phone %s", phone)
			}
		}
	})
	if len(hosts) < 5 {
		t.Errorf("only the hosts %v", hosts)
	}
	for h := range hosts {
		if !reserved.MatchString(h) {
			t.Errorf("host %s", h)
		}
	}
}

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
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

func TestStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := New(small()).Lines(func(*Line) error {
		if n++; n == 7 {
			return stop
		}
		return nil
	})
	if err != stop || n != 7 {
		t.Error(err, n)
	}
}

func TestAnySize(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 19} {
		if x := New(Options{Seed: 9, Customers: n, End: end}).Expected(); x.Total() == 0 {
			t.Errorf("%d customers send nothing", n)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	o := Options{Seed: 1, Customers: 2400, End: end}
	lines, size := 0, int64(0)
	for b.Loop() {
		lines, size = 0, 0
		if err := New(o).Lines(func(l *Line) error { lines++; size += int64(len(l.Text)); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(lines), "lines")
}
