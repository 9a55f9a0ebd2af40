package prepare_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"kith/event"
	"kith/prepare"
)

// FuzzLine prepares arbitrary bytes, once as a line and once as the event of one: it must come to an end. What is JSON
// gives texts in UTF-8 and a context that is an object.
func FuzzLine(f *testing.F) {
	lines, _ := traffic(10)
	for _, line := range lines {
		f.Add(line)
	}
	for _, seed := range []string{
		`{"type":"page","userId":"\ud800","context":{"page":{"url":"//?utm_source=%ff%","search":"?","referrer":"://"},"page":{}}}`,
		`{"type":"track","event":"\u0041","timestamp":"2025-11-25T01:02:03.5+01:00","sentAt":1e300,"properties":{"total":-1e-5,"price":0e9}}`,
		`{"seq":1,"batch":{"context":{"a":1,"\u0062":{}}},"event":{"type":"page","context":{"b":2,"a\u0000":""}}}`,
		`{"event":{"type":"identify","traits":{"email":"\u0130\t"},"context":{"device":{"model":"iPad"},"userAgent":"Mozilla/5.0 (Android;"}}}`,
	} {
		f.Add([]byte(seed))
	}
	p := prepare.New(prepare.Options{Agents: 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, line := range [][]byte{data, wrap(string(data))} {
			var e event.Event
			p.IsControl(line)
			o := p.Line(line, &e)
			p.Reset()
			if o.Result == event.Quarantined && (o.Reason == "" || p.Explain(o) == "") {
				t.Errorf("%+v is not explained", o)
			}
			if o.Result == event.Quarantined || !json.Valid(line) || !utf8.Valid(line) {
				continue
			}
			for field, text := range describe(&e) {
				if !utf8.ValidString(text) {
					t.Errorf("%s: %q is no UTF-8", field, text)
				}
			}
			for _, text := range []event.Text{e.Context, e.Properties, e.Traits} {
				if len(text) > 0 && (!json.Valid(text) || text[0] != '{') {
					t.Errorf("%s is no object", text)
				}
			}
		}
	})
}
