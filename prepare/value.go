package prepare

import (
	"unicode"
	"unicode/utf8"

	"kith/event"
	"kith/internal/jsonscan"
)

// text takes the value under the cursor for a text column: a string, or a number as it is written. False means that it
// is something else, which has no place in the column.
func (p *Preparer) text(to *event.Text, col column) bool {
	c := &p.c
	*to = nil
	switch c.Kind() {
	case jsonscan.String:
		*to = p.spell(c.String())
		return true
	case jsonscan.Number:
		*to = c.Skip()
		return true
	}
	return p.other(col)
}

// other skips a value that its column cannot hold. Null is no conflict.
func (p *Preparer) other(col column) bool {
	null := p.c.Kind() == jsonscan.Null
	p.c.Skip()
	if !null {
		p.conflict(col)
	}
	return null
}

// isObject says whether an object is under the cursor, and skips what is none.
func (p *Preparer) isObject(col column) bool {
	if p.c.Kind() == jsonscan.Object {
		return true
	}
	p.other(col)
	return false
}

func (p *Preparer) money(to *event.Money, col column) {
	*to = event.Money{}
	if p.c.Kind() != jsonscan.Number {
		p.other(col)
		return
	}
	if to.Units, to.Set = units(p.c.Skip()); !to.Set {
		p.conflict(col)
	}
}

func (p *Preparer) number(to *event.Number, col column) {
	*to = event.Number{}
	if p.c.Kind() != jsonscan.Number {
		p.other(col)
		return
	}
	if to.Float, to.Set = jsonscan.Float(p.c.Skip()); !to.Set {
		p.conflict(col)
	}
}

// pixels takes a length, which some SDKs give with a fraction.
func (p *Preparer) pixels(to *int32, col column) bool {
	*to = 0
	if p.c.Kind() != jsonscan.Number {
		return p.other(col)
	}
	length, ok := jsonscan.Float(p.c.Skip())
	if !ok || length < 0 || length >= 1<<31 {
		p.conflict(col)
		return false
	}
	*to = int32(length)
	return true
}

// address takes an e-mail address: lower case, without space around it.
func (p *Preparer) address(to *event.Text) {
	*to = nil
	if p.c.Kind() != jsonscan.String {
		p.other(colEmail)
		return
	}
	*to = p.lower(trim(p.spell(p.c.String())))
}

// traits walks over the object under the cursor and returns it as it was written, with the address in it.
func (p *Preparer) traits(email *event.Text) event.Text {
	c := &p.c
	from := c.Pos()
	for c.Enter(); c.Member(); {
		if string(c.Key()) == "email" {
			p.address(email)
		} else {
			c.Skip()
		}
	}
	return c.Since(from)
}

// spell returns what a string's inside stands for; nil for the empty one.
func (p *Preparer) spell(inside []byte, escaped bool) event.Text {
	switch {
	case len(inside) == 0:
		return nil
	case !escaped:
		return inside
	}
	from := len(p.scratch)
	p.scratch = jsonscan.Unescape(p.scratch, inside)
	return p.since(from)
}

// since returns the scratch space from index from on.
func (p *Preparer) since(from int) event.Text {
	if from == len(p.scratch) {
		return nil
	}
	return p.scratch[from:len(p.scratch):len(p.scratch)]
}

func (p *Preparer) lower(t event.Text) event.Text {
	upper := false
	for _, b := range t {
		upper = upper || b-'A' < 26 || b >= utf8.RuneSelf
	}
	if !upper {
		return t
	}
	from := len(p.scratch)
	for i := 0; i < len(t); {
		r, n := rune(t[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(t[i:])
		}
		p.scratch = utf8.AppendRune(p.scratch, unicode.ToLower(r))
		i += n
	}
	return p.since(from)
}

func trim(t event.Text) event.Text {
	for len(t) > 0 {
		r, n := utf8.DecodeRune(t)
		if !unicode.IsSpace(r) {
			break
		}
		t = t[n:]
	}
	for len(t) > 0 {
		r, n := utf8.DecodeLastRune(t)
		if !unicode.IsSpace(r) {
			return t
		}
		t = t[:len(t)-n]
	}
	return nil
}
