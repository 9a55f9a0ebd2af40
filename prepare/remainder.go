package prepare

import "kith/event"

// remainder writes an object of the members that have no column, as they were written. Every member gets a comma in
// front; the first one becomes the brace when the object ends.
type remainder struct {
	buf  []byte
	from int // where the object at hand begins
}

func (r *remainder) begin() { r.from = len(r.buf) }

func (r *remainder) forget() { r.buf = r.buf[:r.from] }

// keep adds a member: its name, colon and value.
func (r *remainder) keep(member []byte) {
	r.buf = append(r.buf, ',')
	r.buf = append(r.buf, member...)
}

// keepAs adds a member from its name and its value.
func (r *remainder) keepAs(name string, value []byte) {
	r.open(name)
	r.buf = append(r.buf, value...)
}

// inner is an object within the object.
type inner struct{ from, inside int }

// open begins an inner object; keep adds to it until close.
func (r *remainder) open(name string) inner {
	from := len(r.buf)
	r.buf = append(r.buf, ',', '"')
	r.buf = append(r.buf, name...)
	r.buf = append(r.buf, '"', ':')
	return inner{from, len(r.buf)}
}

// close ends an inner object, which disappears if nothing was added to it.
func (r *remainder) close(o inner) {
	if len(r.buf) == o.inside {
		r.buf = r.buf[:o.from]
		return
	}
	r.buf[o.inside] = '{'
	r.buf = append(r.buf, '}')
}

// text ends the object and returns it; nil where nothing was added.
func (r *remainder) text() event.Text {
	if len(r.buf) == r.from {
		return nil
	}
	r.buf[r.from] = '{'
	r.buf = append(r.buf, '}')
	return r.buf[r.from:len(r.buf):len(r.buf)]
}
