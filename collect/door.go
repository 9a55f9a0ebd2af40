package collect

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"unsafe"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kith/event"
	"kith/govern"
	"kith/internal/jsonscan"
	"kith/journal"
)

// door is the declaration of one way in: how its bodies are read, and how it answers.
type door struct {
	name, path, help string
	bounds           func(*Limits) bounds
	keyInBody        bool                                       // the write key may stand in the body
	parse            func(m *message, contentType string) error // finds the records; no record, no error: an empty batch
	answer           func(dst []byte, x *intake) []byte         // the body of a 200
	refuse           func(http.ResponseWriter, *event.Error)
}

// intake is one request on its way, and the buffers that the next one uses again.
type intake struct {
	message
	door        *door
	from        sender
	first       event.Seq
	allResults  bool
	held        int64 // bytes, see hold
	shard       uint32
	lines, text []byte
	gzip        *gzip.Reader
	zstd        *zstd.Decoder
}

func (x *intake) refused() (n int) {
	for i := range x.records {
		if x.records[i].fault != none {
			n++
		}
	}
	return n
}

// serve is what every door does with a request.
func (c *Collector) serve(d *door, index int, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", "POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	x := c.intakes.Get().(*intake)
	x.door, x.limits, x.bounds = d, &c.limits, d.bounds(&c.limits)
	x.from = sender{door: d.name}
	x.backfill, x.allResults, x.first = false, false, 0
	x.body, x.records = x.body[:0], x.records[:0]

	err := c.take(x, w, r)
	c.counts.of(x.from, index).add(x, err)
	if err == nil {
		x.text = d.answer(x.text[:0], x)
		write(w, http.StatusOK, "application/json", x.text)
	} else {
		c.refuse(w, r, d, err)
	}
	c.recycle(x)
}

// recycle keeps the buffers for the next request, unless they are large.
func (c *Collector) recycle(x *intake) {
	c.held.Add(-x.held)
	x.held = 0
	if cap(x.lines) > kept {
		x.lines = nil
	}
	if cap(x.body) > kept || cap(x.records)*int(unsafe.Sizeof(record{})) > kept {
		x.message = message{} // all of it points into the body
	}
	if cap(x.text) > kept {
		x.text = nil
	}
	c.intakes.Put(x)
}

// take has the request's events stored. Who may not send is told so before the body is read; where the write key
// stands in the body, before anything is stored.
func (c *Collector) take(x *intake, w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		return event.Errorf(event.NotAllowed, "events are sent by POST")
	}
	credential := govern.CredentialOf(r)
	credential.Remote = c.client(r)
	if credential.Remote.IsValid() {
		x.from.ip = credential.Remote.String()
	}
	x.from.agent = r.Header.Get("User-Agent")
	x.from.agent = x.from.agent[:min(len(x.from.agent), maxAgent)]
	inBody := false
	if x.door.keyInBody {
		credential.Session = "" // a web page's events are not those of who is logged in to the console
		inBody = credential.WriteKey == "" && credential.Bearer == ""
	}
	if inBody {
		if err := c.stranger(x, w, r, credential); err != nil {
			return err
		}
	} else {
		if err := c.admit(x, r, credential); err != nil {
			return err
		}
		if err := c.open(x, w, r); err != nil {
			return err
		}
	}
	return c.store(r.Context(), x)
}

// stranger reads the body of somebody who says only there who they are.
func (c *Collector) stranger(x *intake, w http.ResponseWriter, r *http.Request, credential govern.Credential) error {
	leave, err := c.strangers.enter(credential.Remote)
	if err != nil {
		return err
	}
	defer leave()
	if err := c.open(x, w, r); err != nil {
		return err
	}
	if key, ok := unquoted(x.envelope.writeKey); ok {
		credential.WriteKey = string(jsonscan.Unescape(nil, key))
	}
	return c.admit(x, r, credential)
}

// open reads the body and finds the records in it.
func (c *Collector) open(x *intake, w http.ResponseWriter, r *http.Request) error {
	if err := c.read(x, w, r); err != nil {
		return err
	}
	x.now = c.now().UnixMicro()
	body := bytes.TrimPrefix(x.body, []byte("\ufeff")) // some editors put it there
	err := x.parse(x.door, body, r.Header.Get("Content-Type"))
	if err != nil {
		c.rejected.keep(x, c.now(), err)
	}
	return err
}

// parse takes a body apart. It is a function of its arguments and of x's bounds, and does no I/O.
func (m *message) parse(d *door, body []byte, contentType string) error {
	m.reset(body)
	if err := d.parse(m, contentType); err != nil {
		return err
	}
	if m.events > m.bounds.events {
		return event.Errorf(event.TooLarge, "the request has %d events; the limit is %d", m.events, m.bounds.events).
			WithHint("send it in several requests")
	}
	return nil
}

// store has the journal keep the records.
func (c *Collector) store(ctx context.Context, x *intake) (err error) {
	if len(x.records) == 0 {
		return nil
	}
	x.text = x.appendHead(x.text[:0], x.from)
	head := len(x.text)
	x.text = x.appendTail(x.text)
	size, longest, index := x.size(len(x.text))
	if repeated := len(x.text) * len(x.records); repeated > x.bounds.repeated {
		return event.Errorf(event.TooLarge, "what stands around the events makes %d bytes when it is stored with each of them; "+
			"the limit is %d", repeated, x.bounds.repeated).WithHint("put it into the events that need it")
	}
	if longest > journal.MaxLine {
		return event.Errorf(event.TooLarge, "the event makes a line of %d bytes; the journal takes at most %d", longest,
			journal.MaxLine).At(place(index, ""), "")
	}
	if err := c.hold(x, cap(x.body)+size); err != nil {
		return err
	}
	x.lines = x.appendLines(slices.Grow(x.lines[:0], size), x.text[:head], x.text[head:])
	x.first, err = c.journal.Append(ctx, x.lines, len(x.records))
	return err
}

// admit decides whether the sender may do what the request wants, and which source the events are of.
func (c *Collector) admit(x *intake, r *http.Request, credential govern.Credential) error {
	who, err := c.gate.Decide(r.Context(), credential, govern.IngestEvents)
	if err != nil {
		return err
	}
	x.from.source, x.from.sourceID, x.from.key = who.SourceName, who.Source, who.KeyID
	var name string
	if r.URL.RawQuery != "" {
		query := r.URL.Query()
		name = query.Get("source")
		x.allResults = query.Get("results") == "all"
		x.backfill = query.Get("backfill") == "1"
	}
	if x.backfill {
		if _, err := c.gate.Decide(r.Context(), credential, govern.BackfillEvents); err != nil {
			return err
		}
	}
	return c.source(&x.from, name)
}

// source finds the source that a sender names which is none itself.
func (c *Collector) source(from *sender, name string) error {
	switch {
	case from.sourceID != 0 && name != "" && name != from.source:
		return event.Errorf(event.Invalid, "this write key is of the source %s", from.source).At("source", name)
	case from.sourceID != 0:
		return nil
	case name == "":
		return event.Errorf(event.Invalid, "the events need a source").At("source", "").
			WithHint("name it: ?source=NAME; kith source list shows them")
	}
	id, ok := c.sources.ByName(name)
	if !ok {
		return event.Errorf(event.NotFound, "there is no source of this name").At("source", name).
			WithHint("kith source list shows them")
	}
	from.source, from.sourceID = name, id
	return nil
}
