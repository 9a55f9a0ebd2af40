package query_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"kith/event"
	"kith/internal/duck"
	"kith/query"
)

const endless = "select count(*) from clean.events e, range(100000000) a(i), range(100000000) b(j) where a.i * b.j = -1"

func TestTimeLimit(t *testing.T) {
	w := newWorld(t, query.Limits{Time: time.Minute}, nil)
	_, _, err := w.run(query.Request{SQL: endless, Limits: query.Limits{Time: 200 * time.Millisecond}})
	if code(err) != event.TimedOut || !strings.Contains(err.Error(), "limit of 200ms") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := w.Run(ctx, query.Request{SQL: endless}, &answer{}); code(err) != event.Canceled {
		t.Errorf("canceled: %v", err)
	}
	w.sql(t, "select 1")
}

func TestARequestCannotRaiseTheLimits(t *testing.T) {
	w := newWorld(t, query.Limits{Rows: 10}, nil)
	_, _, err := w.run(query.Request{SQL: "from range(11)", Limits: query.Limits{Rows: 1000}})
	if code(err) != event.Resource || !strings.Contains(err.Error(), "limit of 10") {
		t.Errorf("%v", err)
	}
}

// stuck is a source that never has what is wanted.
type stuck struct{ err error }

func (s stuck) Tables(ctx context.Context, _ query.Want) (*query.Tables, error) {
	if s.err != nil {
		return nil, s.err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSourceThatWaitsOrFails(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	e := query.New(query.Options{Pool: w.pool, Source: stuck{}, Limits: query.Limits{Time: 50 * time.Millisecond}})
	if _, err := e.Run(t.Context(), query.Request{SQL: "from clean.events"}, &answer{}); code(err) != event.TimedOut {
		t.Errorf("waiting: %v", err)
	}
	gone := event.Errorf(event.NotFound, "there is no snapshot 5")
	e = query.New(query.Options{Pool: w.pool, Source: stuck{gone}})
	if _, err := e.Run(t.Context(), query.Request{SQL: "from clean.events as of snapshot 5"}, &answer{}); !errors.Is(err, gone) {
		t.Errorf("failing: %v", err)
	}
}

// deaf takes the header and then nothing.
type deaf struct{ begin, write error }

func (d deaf) Begin(query.Header) error    { return d.begin }
func (d deaf) Write(p []byte) (int, error) { return len(p), d.write }

func TestAnswerThatIsNotTaken(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	for _, d := range []deaf{{begin: io.ErrClosedPipe}, {write: io.ErrClosedPipe}} {
		for _, sql := range []string{"select 1", "from range(1000000)"} {
			if _, err := w.Run(t.Context(), query.Request{SQL: sql}, d); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// steady is a source for many queries at a time.
type steady struct{ tables query.Tables }

func (s *steady) Tables(context.Context, query.Want) (*query.Tables, error) { return &s.tables, nil }

func TestManyAtATime(t *testing.T) {
	w := newWorld(t, query.Limits{}, nil)
	e := query.New(query.Options{Pool: w.pool, Source: &steady{w.tables}})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			a := &answer{}
			sql := fmt.Sprintf("select count(*) + %d as n from clean.events", i)
			_, err := e.Run(t.Context(), query.Request{SQL: sql, Format: duck.CSV}, a)
			if want := fmt.Sprintf("n\n%d\n", 3+i); err != nil || a.String() != want {
				t.Errorf("%q, %v; want %q", a.String(), err, want)
			}
		})
	}
	all.Wait()
}

func BenchmarkSmallQuery(b *testing.B) {
	w := newWorld(b, query.Limits{}, nil)
	for b.Loop() {
		w.sql(b, "select count(*) from clean.events")
	}
}
