package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"kith/event"
	"kith/examples/shop"
	"kith/source"
)

// fill loads the shop, unless it is there. A load that broke off goes on where it stopped: each source's lines are sent
// in their order, so that what is stored of it is its beginning.
func (m *demoMark) fill(ctx context.Context, local *client, url string, o *output) error {
	if m.Loaded {
		return nil
	}
	if err := m.makeSources(ctx, local); err != nil {
		return err
	}
	stored, err := m.stored(ctx, local)
	if err != nil {
		return err
	}
	load := newDemoLoad(ctx, m, local, &client{base: url, http: http.DefaultClient}, stored)
	world := m.world()
	expected := world.Expected()
	fmt.Fprintf(o.err, "Quillfern, a made-up shop: %s events of %s customers\n", thousands(expected.Total()), thousands(m.Customers))
	bar := newProgress(o.err, "load", func() (done, total int64) { return load.lines, int64(expected.Total()) })
	err = world.Lines(func(l *shop.Line) error {
		bar.tick()
		return load.add(l)
	})
	if closing := load.close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	bar.done()
	m.Loaded = true
	return m.save()
}

// makeSources adds the sources that are missing, and keeps their keys.
func (m *demoMark) makeSources(ctx context.Context, local *client) error {
	for _, s := range []struct{ name, kind string }{{"web", "browser"}, {"app", "browser"}, {"server", "server"}} {
		if m.Keys[s.name] != "" {
			continue
		}
		var made source.Source
		err := local.call(ctx, "POST", "/api/v1/sources", map[string]any{"name": s.name, "kind": s.kind}, &made)
		if event.CodeOf(err) == event.Conflict { // it broke off before the key was kept
			var key source.Key
			err = local.call(ctx, "POST", "/api/v1/sources/"+s.name+"/rotate", struct{}{}, &key)
			made.Keys = []source.Key{key}
		}
		if err != nil {
			return fmt.Errorf("make the source %s: %w", s.name, err)
		}
		m.Keys[s.name] = made.Keys[0].Secret
		if err := m.save(); err != nil {
			return err
		}
	}
	return nil
}

// stored counts the lines of each source that the journal has.
func (m *demoMark) stored(ctx context.Context, local *client) (map[string]int, error) {
	counts := map[string]int{}
	if !m.resume {
		return counts, nil
	}
	var answer struct {
		Rows [][]json.RawMessage `json:"rows"`
	}
	query := map[string]string{"query": "SELECT source, count(*) FROM raw.events WHERE source IS NOT NULL GROUP BY source"}
	if err := local.call(ctx, "POST", "/api/v1/sql", query, &answer); err != nil {
		return nil, fmt.Errorf("see how far the load has come: %w", err)
	}
	for _, row := range answer.Rows {
		var name string
		var count int
		if err := errors.Join(json.Unmarshal(row[0], &name), json.Unmarshal(row[1], &count)); err != nil {
			return nil, fmt.Errorf("see how far the load has come: %w", err)
		}
		counts[name] = count
	}
	return counts, nil
}

// demoLoad sends the lines of the shop: history to the native door, with the times at which it was received, and the
// last day to Segment's, with a write key, as Segment's libraries would.
type demoLoad struct {
	lines   int64
	lastDay time.Time
	streams map[string]*demoStream
}

func newDemoLoad(ctx context.Context, m *demoMark, local, remote *client, stored map[string]int) *demoLoad {
	load := &demoLoad{lastDay: m.End.Add(-24 * time.Hour), streams: map[string]*demoStream{}}
	for name, key := range m.Keys {
		s := &demoStream{ctx: ctx, local: local, remote: remote, source: name, key: key, skip: stored[name],
			bodies: make(chan demoBody), ended: make(chan error, 1)}
		go s.run()
		load.streams[name] = s
	}
	return load
}

func (d *demoLoad) add(l *shop.Line) error {
	d.lines++
	return d.streams[l.Source].add(l, l.Received.Before(d.lastDay))
}

// close waits until all is durable. When one stream fails the others do for the same reason, so one error is enough.
func (d *demoLoad) close() (err error) {
	for _, s := range d.streams {
		if closing := s.close(); err == nil {
			err = closing
		}
	}
	return err
}

// demoStream sends one source's lines, one request after another.
type demoStream struct {
	ctx           context.Context
	local, remote *client
	source, key   string
	skip          int // lines that are stored

	lines    bytes.Buffer
	count    int
	segment  bool          // the lines are for Segment's door
	ahead    time.Duration // by which the clock of the device is that makes a batch
	readable bool          // one of the lines is JSON
	bodies   chan demoBody
	ended    chan error // what run ended with
	fail     error
}

type demoBody struct {
	segment bool
	text    []byte
}

const segmentEvents = 100 // in a batch, as the libraries have it

// add takes a line. A broken one goes to the native door whatever its day, because Segment's door would refuse the
// batch that it is in; and a good line goes with it, because no door takes a body of which it can read nothing.
func (s *demoStream) add(l *shop.Line, history bool) error {
	if s.skip > 0 {
		s.skip--
		return nil
	}
	segment := !history && l.Broken == "" && (s.segment || s.readable || s.count == 0)
	if s.count > 0 && (segment != s.segment || segment && l.Ahead != s.ahead) {
		s.flush()
	}
	s.segment, s.ahead = segment, l.Ahead
	s.readable = s.readable || l.Broken != "not_json"
	s.count++
	if segment {
		if s.count > 1 {
			s.lines.WriteByte(',')
		}
		s.lines.Write(l.Text)
		if s.count >= segmentEvents {
			s.flush()
		}
		return s.fail
	}
	s.lines.Write(append(l.AppendHistory(s.lines.AvailableBuffer()), '\n'))
	if s.count >= batchEvents {
		s.flush()
	}
	return s.fail
}

func (s *demoStream) flush() {
	body := demoBody{segment: s.segment, text: bytes.Clone(s.lines.Bytes())}
	if s.segment {
		sent := time.Now().Add(s.ahead).UTC().Format(time.RFC3339Nano)
		body.text = fmt.Appendf(nil, `{"writeKey":%q,"sentAt":%q,"batch":[%s]}`, s.key, sent, s.lines.Bytes())
	}
	s.lines.Reset()
	s.count, s.readable = 0, false
	if s.fail != nil {
		return
	}
	select {
	case s.bodies <- body:
	case s.fail = <-s.ended:
	}
}

// run sends bodies until there are no more or one is refused.
func (s *demoStream) run() {
	for body := range s.bodies {
		c, path, kind := s.local, "/api/v1/events?backfill=1&source="+s.source, "application/x-ndjson"
		if body.segment {
			c, path, kind = s.remote, "/v1/batch", "application/json"
		}
		if err := sendEvents(s.ctx, c, path, kind, body.text); err != nil {
			s.ended <- fmt.Errorf("load source %s: %w", s.source, err)
			return
		}
	}
	s.ended <- nil
}

// close sends what is left and waits for the answer. Lines that nothing readable came after are not sent: the door
// would refuse them, and their sender would know.
func (s *demoStream) close() error {
	if s.count > 0 && s.readable {
		s.flush()
	}
	close(s.bodies)
	if s.fail == nil {
		s.fail = <-s.ended
	}
	return s.fail
}
