package app_test

import (
	"strings"
	"testing"
)

// TestNothingIsCountedInSilence: what a column cannot hold, what a door refuses and who sent it stand in /metrics, also
// after a name was given to another source.
func TestNothingIsCountedInSilence(t *testing.T) {
	n := serve(t, t.TempDir(), nil)
	key := n.source("web")
	if status := n.send(key, `[{"type":"track","event":"Paid","userId":"u","messageId":"1","properties":{"total":"84,90"}},{"type":"trak"}]`); status != 200 {
		t.Fatal(status)
	}
	if status := n.send(key, `no JSON`); status != 400 {
		t.Fatal(status)
	}
	n.want("DELETE", "/api/v1/sources/web", nil)
	if status := n.send(n.source("web"), `{"type":"page","userId":"u"}`); status != 200 {
		t.Fatal(status)
	}
	if got := n.sql("SELECT total IS NULL, properties ->> 'total' FROM clean.events WHERE event = 'Paid'"); got != `true,"84,90"` {
		t.Errorf("the row: %s", got)
	}
	text := n.want("GET", "/metrics", nil)
	for _, want := range []string{
		`kith_conflicts_total{column="total"} 1`,
		`kith_door_accepted_total{door="events",source="web",source_id="1"} 1`,
		`kith_door_accepted_total{door="events",source="web",source_id="2"} 1`,
		`kith_door_refused_total{door="events",reason="type_unknown",source="web",source_id="1"} 1`,
		`kith_door_failed_total{code="invalid",door="events",source="web",source_id="1"} 1`,
		"kith_rows 2", "kith_quarantined 1", "kith_received 3",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics has no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
