package shop

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

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
