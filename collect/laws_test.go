package collect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"kith/collect"
	"kith/event"
	"kith/journal"
)

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read before the gate decided")
	return 0, io.EOF
}

func TestTheGateDecidesBeforeTheBodyIsRead(t *testing.T) {
	s := open(collect.Limits{})
	for _, target := range []string{"/api/v1/events", "/api/v1/events?backfill=1", "/v1/batch"} {
		r := httptest.NewRequest(http.MethodPost, target, unread{t})
		r.SetBasicAuth("web-key", "")
		if !strings.Contains(target, "backfill") {
			r.SetBasicAuth("nobody", "")
		}
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestTheAnswerComesAfterTheJournalHasTheEvents(t *testing.T) {
	for path, body := range map[string]string{"/api/v1/events": `{"type":"page"}`, "/v1/batch": `{"batch":[{"type":"page"}]}`} {
		s := open(collect.Limits{})
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.SetBasicAuth("web-key", "")
		w := httptest.NewRecorder()
		appended := false
		s.journal.seen = func() {
			appended = true
			if w.Body.Len() > 0 || w.Flushed {
				t.Errorf("%s: answered before Append returned", path)
			}
		}
		s.mux.ServeHTTP(w, r)
		if !appended || w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		s.journal.seen, s.journal.fail = nil, errors.New("an error of the journal")
		if w := s.send(path, "", []byte(body)); w.Code != http.StatusInternalServerError {
			t.Errorf("%s: a failed append is answered %d", path, w.Code)
		}
	}
}

// value draws a JSON text with white space, line ends too, between its tokens.
func value(oneLine bool) *rapid.Generator[string] {
	blank := rapid.SampledFrom([]string{"", "", " ", "\t", "\n", "\r\n"})
	if oneLine {
		blank = rapid.SampledFrom([]string{"", " ", "\t"})
	}
	scalar := rapid.SampledFrom([]string{`0`, `-1.5e3`, `true`, `null`, `"plain"`, `"\n\"\\ \u00e9"`, `"é😀"`, `[]`, `{}`})
	var nested func(depth int) *rapid.Generator[string]
	nested = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			if depth == 0 || rapid.Bool().Draw(t, "scalar") {
				return scalar.Draw(t, "value")
			}
			b := blank.Draw(t, "blank")
			inner := nested(depth-1).Draw(t, "inner")
			if rapid.Bool().Draw(t, "array") {
				return "[" + b + inner + b + "," + b + scalar.Draw(t, "value") + b + "]"
			}
			return `{"` + rapid.SampledFrom([]string{"a", "é", "events", "batch"}).Draw(t, "name") + `"` + b + ":" + b + inner + b + "}"
		})
	}
	return rapid.Custom(func(t *rapid.T) string {
		b := blank.Draw(t, "blank")
		kind := rapid.SampledFrom([]string{`"page"`, `"identify"`, `"pages"`, `7`}).Draw(t, "type")
		return "{" + b + `"properties"` + b + ":" + nested(4).Draw(t, "properties") + b + "," + b + `"type":` + kind + b + "}"
	})
}

// forms are the bodies that can carry events.
func forms() map[string]func(events []string) (path, contentType, body string) {
	return map[string]func([]string) (string, string, string){
		"array": func(e []string) (string, string, string) {
			return "/api/v1/events", "application/json", "[" + strings.Join(e, ",") + "]"
		},
		"object": func(e []string) (string, string, string) {
			return "/api/v1/events", "text/plain", `{"events":[` + strings.Join(e, " , ") + `], "context":{"a":1}}`
		},
		"lines": func(e []string) (string, string, string) {
			return "/api/v1/events", "application/x-ndjson", strings.Join(e, "\r\n") + "\n"
		},
		"batch": func(e []string) (string, string, string) {
			return "/v1/batch", "application/json", `{"context":{},"batch":[` + strings.Join(e, "\n,") + `],"sentAt":"x"}`
		},
	}
}

func TestWhatIsTakenIsStoredAsItCame(t *testing.T) {
	for name, form := range forms() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				events := rapid.SliceOfN(value(name == "lines"), 1, 8).Draw(t, "events")
				s := open(collect.Limits{})
				path, contentType, body := form(events)
				if w := s.send(path, contentType, []byte(body)); w.Code != http.StatusOK {
					t.Fatalf("%d %s for %s", w.Code, w.Body, body)
				}
				if len(s.journal.lines) != len(events) || len(s.journal.bad) > 0 {
					t.Fatalf("%d events, %d lines, %v", len(events), len(s.journal.lines), s.journal.bad)
				}
				for i, line := range s.journal.lines {
					_, stored, _ := bytes.Cut(line, []byte(`,"event":`))
					want := strings.NewReplacer("\n", " ", "\r", " ").Replace(events[i]) + "}"
					if string(stored) != want {
						t.Fatalf("event %d is stored as %s, want %s", i, stored, want)
					}
				}
			})
		})
	}
}

func TestEveryEncodingIsReadTheSame(t *testing.T) {
	s := open(collect.Limits{})
	body := "[" + strings.Repeat(`{"type":"page","n":"0123456789"},`, 5_000) + "7]"
	for i := range 3 { // through one collector, so that decoders are used again
		for _, encoding := range []string{"", "gzip", "zstd"} {
			s.journal.lines = nil
			for _, reader := range []io.Reader{
				bytes.NewReader(encode(encoding, []byte(body))),
				struct{ io.Reader }{bytes.NewReader(encode(encoding, []byte(body)))}, // tells no length
			} {
				r := httptest.NewRequest(http.MethodPost, "/api/v1/events", reader)
				r.Header.Set("Content-Encoding", encoding)
				r.SetBasicAuth("web-key", "")
				w := httptest.NewRecorder()
				s.mux.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Fatalf("round %d, %q: %d %s", i, encoding, w.Code, w.Body)
				}
			}
			if n := len(s.journal.lines); n != 2*5_001 || !bytes.HasSuffix(s.journal.lines[n-1], []byte(`"event":7}`)) {
				t.Fatalf("round %d, %q: %d lines", i, encoding, n)
			}
		}
		s.send("/api/v1/events", "", encode("gzip", []byte("7"))) // and after they have failed
		r := httptest.NewRequest(http.MethodPost, "/api/v1/events", bytes.NewReader(encode("zstd", []byte(body))[:100]))
		r.Header.Set("Content-Encoding", "zstd")
		r.SetBasicAuth("web-key", "")
		w := httptest.NewRecorder()
		if s.mux.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
			t.Fatalf("half a body: %d %s", w.Code, w.Body)
		}
	}
	s.sound(t)
}

func TestManyAtOnce(t *testing.T) {
	s := open(collect.Limits{})
	const senders, requests = 8, 50
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := range requests {
				one := fmt.Sprintf(`{"type":"page","userId":"u","n":"%d-%d"}`, sender, i)
				path, body := "/api/v1/events", "["+one+",7]"
				if i%2 == 1 {
					path, body = "/v1/batch", `{"batch":[`+one+`,7]}`
				}
				if w := s.send(path, "", []byte(body)); w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	wg.Wait()
	s.sound(t)
	seen := make([]bool, senders*requests)
	for _, line := range s.journal.lines {
		var l struct{ Event json.RawMessage }
		var e struct{ N string }
		if json.Unmarshal(line, &l) != nil || string(l.Event) == "7" || json.Unmarshal(l.Event, &e) != nil {
			continue
		}
		var sender, i int
		if _, err := fmt.Sscanf(e.N, "%d-%d", &sender, &i); err != nil || seen[sender*requests+i] {
			t.Fatalf("%s is stored twice or broken", l.Event)
		}
		seen[sender*requests+i] = true
	}
	if n := len(s.journal.lines); n != 2*senders*requests {
		t.Errorf("%d lines", n)
	}
	for _, count := range s.Stats() {
		if count.Requests != senders*requests/2 || count.Accepted != senders*requests/2 || len(count.Refused) != 1 ||
			count.Refused[0] != (collect.Reason{Word: "not_object", Times: senders * requests / 2}) {
			t.Errorf("counted %+v", count)
		}
	}
}

func TestStatsCountsBySourceDoorAndReason(t *testing.T) {
	s := open(collect.Limits{BatchBytes: 40})
	s.send("/api/v1/events", "", []byte(`[{"type":"page"},{},{}]`))
	s.send("/v1/batch", "", []byte(`{"batch":[{"type":"page"},7]}`))
	s.send("/api/v1/events", "", []byte(`[`))
	s.send("/v1/batch", "", []byte(`{"batch":["a long string that is over it"]}`))
	r := httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(`{}`))
	s.mux.ServeHTTP(httptest.NewRecorder(), r)
	s.journal.fail = event.Errorf(event.Unavailable, "the disk is full")
	s.send("/api/v1/events", "", []byte(`{"type":"page"}`))
	var got strings.Builder
	for _, c := range s.Stats() {
		fmt.Fprintf(&got, "%d %q %s: %d requests, %d bytes, %d accepted, %v refused, %v failed\n",
			c.Source, c.Name, c.Door, c.Requests, c.Bytes, c.Accepted, c.Refused, c.Failed)
	}
	const want = `0 "" batch: 1 requests, 2 bytes, 0 accepted, [] refused, [{invalid 1}] failed
3 "web" batch: 2 requests, 29 bytes, 0 accepted, [{not_object 1} {ids_missing 1}] refused, [{too_large 1}] failed
3 "web" events: 3 requests, 39 bytes, 1 accepted, [{type_missing 2}] refused, [{invalid 1} {unavailable 1}] failed
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestRejectedKeepsTheLastHundred(t *testing.T) {
	s := open(collect.Limits{})
	for i := range 103 {
		s.send("/api/v1/events", "", fmt.Appendf(nil, "{%d", i))
	}
	s.send("/v1/batch", "", []byte(`{"batch":["`+strings.Repeat("x", 100<<10)))
	all := s.Rejected()
	if len(all) != 100 {
		t.Fatalf("%d are kept", len(all))
	}
	newest, oldest := all[0], all[99]
	if newest.Door != "batch" || newest.Source != "web" || newest.Size != 100<<10+11 || len(newest.Body) != 64<<10 ||
		!newest.At.Equal(noon()) || newest.Address != "192.0.2.1" || !strings.Contains(newest.Reason, "a string has no end") {
		t.Errorf("the newest is %+.80v", newest)
	}
	if string(oldest.Body) != "{4" || string(all[1].Body) != "{102" {
		t.Errorf("the oldest is %s, the second %s", oldest.Body, all[1].Body)
	}
}

// slow is a body that waits, then ends.
type slow struct{ begun, end chan struct{} }

func (s slow) Read([]byte) (int, error) {
	s.begun <- struct{}{}
	<-s.end
	return 0, io.EOF
}

func TestAnAddressMayNotSendManyBodiesBeforeItsKeyIsKnown(t *testing.T) {
	s := open(collect.Limits{})
	body := slow{make(chan struct{}), make(chan struct{})}
	post := func(from string, body io.Reader) int {
		r := httptest.NewRequest(http.MethodPost, "/v1/batch", body)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		return w.Code
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { post("198.51.100.7:1", body) })
		<-body.begun
	}
	const batch = `{"batch":[{"type":"page"}],"writeKey":"web-key"}`
	if code := post("198.51.100.7:2", strings.NewReader(batch)); code != http.StatusTooManyRequests {
		t.Errorf("one more: %d", code)
	}
	if code := post("198.51.100.8:1", strings.NewReader(batch)); code != http.StatusOK {
		t.Errorf("another address: %d", code)
	}
	close(body.end)
	wg.Wait()
	if code := post("198.51.100.7:3", strings.NewReader(batch)); code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
}

func TestAnEventThatNoLineCanHoldIsNotTaken(t *testing.T) {
	s := open(collect.Limits{Body: 64 << 20})
	fits := `[7,{"type":"page","n":"` + strings.Repeat("x", journal.MaxLine-200) + `"}]`
	if w := s.send("/api/v1/events", "", []byte(fits)); w.Code != http.StatusOK || len(s.journal.lines) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	over := `[7,{"type":"page","n":"` + strings.Repeat("x", journal.MaxLine) + `"}]`
	w := s.send("/api/v1/events", "", []byte(over))
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), `"path":"[1]"`) || len(s.journal.lines) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLargeBodiesAtOnceAreBounded(t *testing.T) {
	s := open(collect.Limits{Held: 3 << 20})
	large := []byte(`{"type":"page","n":"` + strings.Repeat("x", 900<<10) + `"}`)
	tooLarge := []byte(`{"type":"page","n":"` + strings.Repeat("x", 5<<20) + `"}`)
	for range 5 { // what was held is given back
		if w := s.send("/api/v1/events", "", large); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := s.send("/api/v1/events", "", tooLarge); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
