package files

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"kith/event"
)

// typed are the properties that have a numeric column: in a CSV, their cells are numbers without being asked.
func typed(property string) bool {
	return slices.Contains([]string{"revenue", "total", "price", "value", "quantity"}, property)
}

// member is one member of the event, or of its properties or traits.
type member struct {
	name   []byte // quoted, with the colon
	value  template
	number bool
}

// encoder writes rows as events of the native door.
type encoder struct {
	mapping *Mapping
	zone    *time.Location
	columns []string
	decimal byte

	head       []byte // {"type":"track","event":…
	ids        []member
	timestamp  *template
	properties []member
	traits     []member

	scope [sha256.Size]byte // of the header and the first row: which file this is
	out   []byte
	text  []byte
	hash  []byte
}

func newEncoder(m *Mapping, columns []string) (*encoder, error) {
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		return nil, fmt.Errorf("load zone %s: %w", m.Zone, err)
	}
	e := &encoder{mapping: m, zone: zone, columns: columns, decimal: m.Decimal[0]}
	used := make([]bool, len(columns))
	for _, name := range m.Numbers {
		if !slices.Contains(columns, name) {
			return nil, event.Errorf(event.Invalid, "there is no such column in the file").At("numbers", name)
		}
	}
	var problems []error
	add := func(to *[]member, path, name, text string) {
		if text == "" {
			return
		}
		t, err := parseTemplate(text, path, columns, used)
		if err != nil {
			problems = append(problems, err)
			return
		}
		*to = append(*to, member{append(quote(nil, []byte(name)), ':'), t, e.isNumber(to == &e.properties, name, t)})
	}
	for _, id := range []struct{ path, name, text string }{
		{"event", "event", m.Event}, {"name", "name", m.Name}, {"user_id", "userId", m.UserID},
		{"anonymous_id", "anonymousId", m.AnonymousID}, {"group_id", "groupId", m.GroupID},
	} {
		add(&e.ids, id.path, id.name, id.text)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
		add(&e.properties, "properties."+name, name, m.Properties[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.Traits)) {
		add(&e.traits, "traits."+name, name, m.Traits[name])
	}
	if m.Timestamp != "" {
		t, err := parseTemplate(m.Timestamp, "timestamp", columns, used)
		if err != nil {
			problems = append(problems, err)
		}
		e.timestamp = &t
	}
	for i, name := range columns {
		if m.Rest && !used[i] {
			t := template{[]string{"", ""}, []int{i}}
			e.properties = append(e.properties, member{append(quote(nil, []byte(name)), ':'), t, e.isNumber(true, name, t)})
		}
	}
	e.head = append(quote([]byte(`{"type":`), []byte(m.Type)), `,"messageId":"import-`...)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return e, nil
}

func (e *encoder) isNumber(property bool, name string, t template) bool {
	if property && typed(name) {
		return true
	}
	return len(t.columns) == 1 && slices.Contains(e.mapping.Numbers, e.columns[t.columns[0]])
}

// encode returns the row as JSON, valid until the next call.
func (e *encoder) encode(row int64, cells []cell) []byte {
	e.text = e.text[:0]
	out := append(e.out[:0], e.head...)
	out = append(e.appendID(out, row, cells), '"')
	for _, m := range e.ids {
		var c cell
		if c, e.text = m.value.value(cells, e.text); c.kind != absent {
			out = c.appendText(append(append(out, ','), m.name...))
		}
	}
	if e.timestamp != nil {
		var c cell
		if c, e.text = e.timestamp.value(cells, e.text); c.kind != absent {
			out = quote(append(out, `,"timestamp":`...), e.time(c))
		}
	}
	out = e.object(out, `,"properties":{`, e.properties, cells)
	out = e.object(out, `,"traits":{`, e.traits, cells)
	e.out = append(out, '}')
	return e.out
}

func (e *encoder) object(out []byte, open string, members []member, cells []cell) []byte {
	first := true
	for _, m := range members {
		var c cell
		if c, e.text = m.value.value(cells, e.text); c.kind == absent {
			continue
		}
		if m.number && c.kind == isText {
			c = number(c, e.decimal)
		}
		if first {
			out = append(out, open...)
		} else {
			out = append(out, ',')
		}
		first = false
		out = c.appendJSON(append(out, m.name...))
	}
	if !first {
		out = append(out, '}')
	}
	return out
}

// time returns the cell as RFC 3339, or as it is where it cannot be read: prepare then quarantines the event and
// names the field.
func (e *encoder) time(c cell) []byte {
	if c.kind != isText {
		return c.text
	}
	layouts := []string{e.mapping.Format}
	if e.mapping.Format == "" {
		layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02"}
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, string(c.text), e.zone); err == nil {
			return t.UTC().AppendFormat(nil, time.RFC3339Nano)
		}
	}
	return c.text
}

// appendID writes the row's message id: a digest of the file's header and first row, of the row's number and of its
// cells (docs/decisions/0002). So a file imported twice is imported once, a file that has grown adds its new rows
// only, equal lines stay distinct, and a row that was corrected is a new event, never a lost one.
func (e *encoder) appendID(out []byte, row int64, cells []cell) []byte {
	hash := e.hash[:0]
	if row == 1 {
		for _, name := range e.columns {
			hash = append(append(hash, name...), 0)
		}
		e.scope = sha256.Sum256(appendCells(hash, cells))
		hash = hash[:0]
	}
	hash = binary.LittleEndian.AppendUint64(append(hash, e.scope[:]...), uint64(row))
	hash = appendCells(hash, cells)
	digest := sha256.Sum256(hash)
	e.hash = hash
	out = hex.AppendEncode(out, digest[:12])
	return fmt.Appendf(out, "-%d", row)
}

func appendCells(hash []byte, cells []cell) []byte {
	for _, c := range cells {
		hash = binary.LittleEndian.AppendUint32(append(hash, byte(c.kind)), uint32(len(c.text)))
		hash = append(hash, c.text...)
	}
	return hash
}

// bad returns a row that cannot be read as an event of no known type, so that it is kept, counted and quarantined.
func (e *encoder) bad(row int64, bad *rowError) []byte {
	out := append(e.out[:0], `{"type":"import_error","messageId":"import-`...)
	out = e.appendID(out, row, []cell{{isText, []byte(bad.text)}})
	out = fmt.Appendf(append(out, `","properties":{"row":`...), `%d,"line":%d,"error":`, row, bad.line)
	out = quote(out, []byte(bad.err.Error()))
	out = quote(append(out, `,"text":`...), []byte(bad.text))
	e.out = append(out, '}', '}')
	return e.out
}
