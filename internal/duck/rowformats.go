package duck

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// jsonEncoder writes one object whose rows are arrays.
type jsonEncoder struct {
	out   *output
	first bool
}

// newJSONEncoder opens the object with the members of head, which is a JSON object or nothing, and the columns.
func newJSONEncoder(head json.RawMessage, columns []Column, out *output) *jsonEncoder {
	out.buf = append(out.buf, '{')
	if head = bytes.TrimSpace(head); len(head) > 2 {
		out.buf = append(append(out.buf, head[1:len(head)-1]...), ',')
	}
	list, err := json.Marshal(columns)
	if err != nil {
		list = []byte("[]") // names are text: there is nothing that could fail
	}
	out.buf = append(append(append(out.buf, `"columns":`...), list...), `,"rows":[`...)
	return &jsonEncoder{out: out, first: true}
}

func (e *jsonEncoder) chunk(r *rows) error {
	for i := range r.size {
		if !e.first {
			e.out.buf = append(e.out.buf, ',', '\n')
		}
		e.first = false
		e.out.buf = append(e.out.buf, '[')
		for c := range r.vectors {
			if c > 0 {
				e.out.buf = append(e.out.buf, ',')
			}
			e.out.buf = r.vectors[c].appendJSON(e.out.buf, i)
		}
		e.out.buf = append(e.out.buf, ']')
		if err := e.out.row(); err != nil {
			return err
		}
	}
	return nil
}

func (e *jsonEncoder) end(rows int64, elapsed float64) error {
	e.out.buf = strconv.AppendInt(append(e.out.buf, `],"row_count":`...), rows, 10)
	e.out.buf = strconv.AppendFloat(append(e.out.buf, `,"elapsed_ms":`...), elapsed, 'f', 1, 64)
	e.out.buf = append(e.out.buf, '}', '\n')
	return nil
}

// lineEncoder writes an object for each row.
type lineEncoder struct {
	out   *output
	names [][]byte // "name": with the comma before it
}

func newLineEncoder(columns []Column, out *output) *lineEncoder {
	e := &lineEncoder{out: out}
	for i, c := range columns {
		name := []byte{','}[:min(i, 1)]
		e.names = append(e.names, append(appendString(name, []byte(c.Name)), ':'))
	}
	return e
}

func (e *lineEncoder) chunk(r *rows) error {
	for i := range r.size {
		e.out.buf = append(e.out.buf, '{')
		for c := range r.vectors {
			e.out.buf = r.vectors[c].appendJSON(append(e.out.buf, e.names[c]...), i)
		}
		e.out.buf = append(e.out.buf, '}', '\n')
		if err := e.out.row(); err != nil {
			return err
		}
	}
	return nil
}

func (e *lineEncoder) end(int64, float64) error { return nil }

// csvEncoder writes RFC 4180.
type csvEncoder struct {
	out     *output
	scratch []byte
}

func newCSVEncoder(columns []Column, out *output) *csvEncoder {
	e := &csvEncoder{out: out}
	for i, c := range columns {
		e.separate(i)
		e.field([]byte(c.Name))
	}
	out.buf = append(out.buf, '\n')
	return e
}

func (e *csvEncoder) chunk(r *rows) error {
	for i := range r.size {
		for c := range r.vectors {
			e.separate(c)
			if v := &r.vectors[c]; !v.null(i) {
				e.scratch = v.appendText(e.scratch[:0], i)
				e.field(e.scratch)
			}
		}
		e.out.buf = append(e.out.buf, '\n')
		if err := e.out.row(); err != nil {
			return err
		}
	}
	return nil
}

func (e *csvEncoder) separate(column int) {
	if column > 0 {
		e.out.buf = append(e.out.buf, ',')
	}
}

// field quotes what has to be quoted, and the empty text, which would be NULL otherwise.
func (e *csvEncoder) field(text []byte) {
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		e.out.buf = append(e.out.buf, text...)
		return
	}
	e.out.buf = append(e.out.buf, '"')
	for _, c := range text {
		if c == '"' {
			e.out.buf = append(e.out.buf, '"')
		}
		e.out.buf = append(e.out.buf, c)
	}
	e.out.buf = append(e.out.buf, '"')
}

func (e *csvEncoder) end(int64, float64) error { return nil }
