package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"kith/collect"
	"kith/event"
	"kith/govern"
	"kith/journal"
)

var (
	_ collect.Journal = (*journal.Writer)(nil)
	_ collect.Gate    = (*govern.Policy)(nil)
)

// memory is a journal that holds every line to the contract.
type memory struct {
	mu    sync.Mutex
	lines [][]byte
	fail  error
	seen  func() // runs inside Append
	bad   []string
}

func (m *memory) Append(_ context.Context, lines []byte, count int) (event.Seq, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen != nil {
		m.seen()
	}
	if m.fail != nil {
		return 0, m.fail
	}
	first := event.Seq(len(m.lines) + 1)
	if !bytes.HasSuffix(lines, []byte("\n")) {
		m.bad = append(m.bad, "the last line has no end")
	}
	all := bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"))
	if len(all) != count {
		m.bad = append(m.bad, "the count is wrong")
	}
	for _, line := range all {
		if !json.Valid(line) || !bytes.HasPrefix(line, []byte(`{"`)) {
			m.bad = append(m.bad, "no JSON object: "+string(line))
		}
		m.lines = append(m.lines, bytes.Clone(line))
	}
	return first, nil
}

// gate knows a key of each of two sources, two tokens, and nobody else.
type gate struct{}

func (gate) Decide(_ context.Context, c govern.Credential, a govern.Action) (govern.Principal, error) {
	var who govern.Principal
	switch {
	case c.WriteKey == "web-key":
		who = govern.Principal{Kind: govern.Source, ID: 3, Name: "web", Role: govern.SourceRole, Source: 3, SourceName: "web", KeyID: "wk1"}
	case c.WriteKey == "app-key":
		who = govern.Principal{Kind: govern.Source, ID: 4, Name: "app", Role: govern.SourceRole, Source: 4, SourceName: "app", KeyID: "wk2"}
	case c.Bearer == "loader":
		who = govern.Principal{Kind: govern.Token, ID: 1, Name: "loader", Role: govern.Ingest}
	case c.Bearer == "viewer":
		return who, event.Errorf(event.Forbidden, "viewer may not send events")
	default:
		return who, event.Errorf(event.Unauthenticated, "this credential is not known")
	}
	if a == govern.BackfillEvents && who.Kind == govern.Source {
		return who, event.Errorf(event.Forbidden, "%s may not send events with the time they were received", who.Name)
	}
	return who, nil
}

type sources map[string]event.SourceID

func (s sources) ByName(name string) (event.SourceID, bool) {
	id, ok := s[name]
	return id, ok
}

func noon() time.Time { return time.Date(2025, 11, 25, 12, 0, 0, 0, time.UTC) }

// stand is a collector with its journal.
type stand struct {
	*collect.Collector
	journal *memory
	mux     *http.ServeMux
}

func open(limits collect.Limits) *stand {
	s := &stand{journal: &memory{}, mux: http.NewServeMux()}
	s.Collector = collect.New(collect.Options{Journal: s.journal, Gate: gate{}, Sources: sources{"web": 3, "app": 4},
		Limits: limits, Now: noon, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, d := range s.Doors() {
		s.mux.Handle(d.Path, d)
	}
	return s
}

// send posts a body with web's key.
func (s *stand) send(path, contentType string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.SetBasicAuth("web-key", "")
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// sound fails the test if a line broke the contract.
func (s *stand) sound(t *testing.T) {
	t.Helper()
	for _, bad := range s.journal.bad {
		t.Error(bad)
	}
}
