package collect_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"kith/collect"
)

// tight are limits that a fuzzer reaches.
func tight() collect.Limits {
	return collect.Limits{Event: 64, Events: 4, Depth: 3, Properties: 3, Name: 4, BatchEvents: 4, BatchEvent: 32, BatchBytes: 512}
}

func seeds(f *testing.F) {
	for _, body := range []string{
		`{"type":"page"}`, `[{"type":"track","event":"A"},7]`, "{\"type\":\"page\"}\n{\"type\":\n{}\n",
		`{"events":[{"type":"page","a":{"b":[1,"\u00e9"]}}],"context":{"c":1},"sentAt":"2025-11-25T12:00:00Z"}`,
		`{"batch":[{"type":"page","receivedAt":1556668800000002}],"context":{"c":1},"integrations":{},"sentAt":5,"writeKey":"web-key"}`,
		"[\n{\"type\"\r\n:\"page\"}\n,\"\xff\"]", `{"\u0074ype":"page","events":[]}`, "\ufeff{}", "", "[[[[[[]]]]]]",
	} {
		for mode := range byte(8) {
			f.Add([]byte(body), mode)
		}
	}
}

// door sends a body in one of eight ways and holds the lines to their contract.
func door(t *testing.T, path string, body []byte, mode byte) (*stand, int, []byte) {
	limits := collect.Limits{}
	if mode&1 != 0 {
		limits = tight()
	}
	contentType := ""
	if mode&2 != 0 {
		contentType = "application/x-ndjson"
	}
	s := open(limits)
	w := s.send(path+"?results=all", contentType, body)
	s.sound(t)
	switch w.Code {
	case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
	default:
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if !json.Valid(w.Body.Bytes()) {
		t.Fatalf("the answer is no JSON: %s", w.Body)
	}
	if w.Code != http.StatusOK && len(s.journal.lines) > 0 {
		t.Fatal("stored and refused")
	}
	for _, line := range s.journal.lines {
		var l struct {
			Source, Door string
			Event        json.RawMessage
			Bytes        []byte
		}
		if err := json.Unmarshal(line, &l); err != nil || l.Source != "web" || (l.Event == nil) == (l.Bytes == nil) {
			t.Fatalf("%v: %s", err, line)
		}
	}
	return s, w.Code, w.Body.Bytes()
}

func FuzzEvents(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte, mode byte) {
		s, code, text := door(t, "/api/v1/events", body, mode)
		if code != http.StatusOK {
			return
		}
		var answer struct {
			Accepted, Refused int
			Seq               struct{ First, Next int }
			Results           []struct {
				Index, Seq int
				Code       string
			}
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		n := len(s.journal.lines)
		if answer.Accepted+answer.Refused != n || answer.Seq.Next-answer.Seq.First != n || len(answer.Results) != n {
			t.Fatalf("%d lines, but %s", n, text)
		}
		for i, r := range answer.Results {
			if r.Index != i || r.Seq != i+1 || r.Code == "" {
				t.Fatalf("result %d of %s", i, text)
			}
		}
	})
}

func FuzzBatch(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte, mode byte) {
		s, code, text := door(t, "/v1/batch", body, mode)
		var around map[string]json.RawMessage
		var batch []json.RawMessage
		if code != http.StatusOK || json.Unmarshal(body, &around) != nil || json.Unmarshal(around["batch"], &batch) != nil {
			return
		}
		if len(batch) > len(s.journal.lines) {
			t.Fatalf("%d events, %d lines: %s", len(batch), len(s.journal.lines), text)
		}
	})
}
