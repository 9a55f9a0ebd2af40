package query

import (
	"encoding/json"
	"fmt"

	"kith/event"
	"kith/internal/duck"
)

// heldBack is how much of an answer is kept until its fate is clearer: most queries that fail have not given as much.
const heldBack = 64 << 10

// delivery hands an answer on. It begins late, so that a query that fails early can be answered with a plain error.
type delivery struct {
	to     Answer
	header Header
	begun  bool
	held   []byte
	broken bool // the other side takes nothing any more
}

// Columns is called by the session before the first Write.
func (d *delivery) Columns(columns []duck.Column) error {
	d.header.Columns = columns
	return nil
}

// Write takes a piece, which ends where a row ends.
func (d *delivery) Write(p []byte) (int, error) {
	if !d.begun {
		d.held = append(d.held, p...)
		if len(d.held) < heldBack {
			return len(p), nil
		}
		return len(p), d.flush()
	}
	n, err := d.to.Write(p)
	d.broken = err != nil
	return n, err
}

// flush gives away what was held back.
func (d *delivery) flush() error {
	if d.begun {
		return nil
	}
	d.begun = true
	if err := d.to.Begin(d.header); err != nil {
		d.broken = true
		return fmt.Errorf("begin the answer: %w", err)
	}
	if _, err := d.to.Write(d.held); err != nil {
		d.broken = true
		return fmt.Errorf("give the answer: %w", err)
	}
	d.held = nil
	return nil
}

// fail ends an answer that has begun with the error, where its format has a place for one. It returns err.
func (d *delivery) fail(err error) error {
	if !d.begun || d.broken {
		return err
	}
	text, encodeErr := json.Marshal(event.Errors(err)[0])
	if encodeErr != nil {
		return err
	}
	switch d.header.Format {
	case duck.JSON:
		text = fmt.Appendf(nil, `],"error":%s}`+"\n", text)
	case duck.NDJSON:
		text = fmt.Appendf(nil, `{"error":%s}`+"\n", text)
	default:
		return err
	}
	if _, writeErr := d.to.Write(text); writeErr != nil {
		d.broken = true
	}
	return err
}
