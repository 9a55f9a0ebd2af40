package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// siege is a server that is sent a load and read from all the time, while the test does it harm.
type siege struct {
	t      testing.TB
	s      *server
	ledger *ledger
	keys   [2]string
	token  string
	http   *http.Client

	excused atomic.Bool // the test does what a refusal may follow from

	mu     sync.Mutex
	url    string        // "" while the server is down
	life   int           // how often it was up
	up     chan struct{} // closed while it is up, anew for each life
	failed error         // what no crash excuses; the first one
	alarm  chan struct{} // closed when failed is set
	trips  int           // answers that were no 200, of any life

	wrongs  int                // found at the end
	stop    context.CancelFunc // ends the load and the reader
	running sync.WaitGroup
}

// besiege starts a server on data and begins to send and to read. Each of two sources has two clients.
func besiege(t testing.TB, data string, flags ...string) *siege {
	t.Helper()
	g := &siege{t: t, s: start(t, data, flags...), ledger: newLedger(), up: make(chan struct{}), alarm: make(chan struct{}),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 60 * time.Second}}
	for i, name := range sourceNames {
		g.keys[i] = g.s.kith("source", "create", name)
	}
	g.token = g.s.kith("token", "create", "siege", "--role", "analyst")
	return g
}

// begin lets the load and the checking reader run until end.
func (g *siege) begin() *reader {
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	g.t.Cleanup(g.end)
	for client := range 4 {
		g.running.Go(func() { g.send(ctx, client%2, 20+client*15) })
	}
	r := &reader{siege: g, answered: make(chan struct{}, 1)}
	g.running.Go(func() { r.run(ctx) })
	g.opened()
	return r
}

// end stops the load and the reader.
func (g *siege) end() {
	g.stop()
	g.running.Wait()
	g.http.CloseIdleConnections()
}

// opened says that the server is up, closed that it is about to go down.
func (g *siege) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.url = g.s.url
	g.life++
	close(g.up)
}

func (g *siege) closed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.url, g.up = "", make(chan struct{})
}

// where waits for a server that is up.
func (g *siege) where(ctx context.Context) (url string, life int, err error) {
	for {
		g.mu.Lock()
		url, life, up := g.url, g.life, g.up
		g.mu.Unlock()
		if url != "" {
			return url, life, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return "", 0, ctx.Err()
		}
	}
}

// lives reports whether the life is the one that goes on.
func (g *siege) lives(life int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.url != "" && g.life == life
}

// wrong notes what must not happen whatever crashes.
func (g *siege) wrong(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil {
		g.failed = fmt.Errorf(format, args...)
		close(g.alarm)
	}
}

// check fails the test if something was wrong.
func (g *siege) check() {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		g.t.Fatal(g.failed)
	}
}

// send is a client: it posts batches of n events, one after the other. A batch that nobody answered for goes back to
// the ledger, which gives it out again.
func (g *siege) send(ctx context.Context, source, n int) {
	for ctx.Err() == nil {
		url, life, err := g.where(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		batch := g.ledger.take(source, n, now)
		path, body := g.ledger.body(batch, now)
		if err := g.post(ctx, url+path, g.keys[source], body); err != nil {
			g.ledger.fail(source, batch)
			g.tripped(ctx, life, err)
			continue
		}
		g.ledger.ack(batch)
		pause(ctx, 15*time.Millisecond) // a load of some 10,000 events a second
	}
}

// tripped is told of every request that failed. A connection that broke is what a crash does. A refusal has to have a
// reason: the test's own doing, or a server that was on its way down, of which nobody hears until it is.
func (g *siege) tripped(ctx context.Context, life int, err error) {
	g.mu.Lock()
	g.trips++
	g.mu.Unlock()
	refused := (*answerError)(nil)
	if errors.As(err, &refused) && !g.excused.Load() {
		for began := time.Now(); ctx.Err() == nil && g.lives(life); pause(ctx, 20*time.Millisecond) {
			if refused.status != http.StatusServiceUnavailable || time.Since(began) > 15*time.Second {
				g.wrong("a request was refused in life %d, which goes on: %w", life, err)
				return
			}
		}
	}
	if g.lives(life) {
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// answerError is an answer that was read whole and is no 200.
type answerError struct {
	status int
	text   string
}

func (e *answerError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.text) }

// post returns nil only when a 200 for the whole batch was read to its end.
func (g *siege) post(ctx context.Context, url, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", "application/json")
	text, err := g.do(req)
	if err != nil {
		return err
	}
	var answer struct {
		Success bool
		Refused *int
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if !answer.Success && (answer.Refused == nil || *answer.Refused != 0) {
		g.wrong("a good batch was refused: %s", text)
	}
	return nil
}

// query asks for CSV over HTTP and returns its lines without the header. An answer that breaks off is an error.
func (g *siege) query(ctx context.Context, url, query string) ([]string, error) {
	return g.run(ctx, url, map[string]string{"query": query, "format": "csv"})
}

func (g *siege) run(ctx context.Context, url string, request map[string]string) ([]string, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/api/v1/sql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+g.token)
	req.Header.Set("Content-Type", "application/json")
	text, err := g.do(req)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return lines[1:], nil
}

func (g *siege) do(req *http.Request) ([]byte, error) {
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &answerError{resp.StatusCode, string(text)}
	}
	return text, nil
}
