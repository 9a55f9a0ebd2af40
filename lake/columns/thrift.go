package columns

import (
	"encoding/binary"
	"fmt"
)

// A Parquet footer is a value of Thrift's compact protocol. It is read here without knowing what the fields mean, so
// that what a writer newer than this code puts into a footer is in the joined footer too. Readers that are made from
// Parquet's schema drop what they do not know; those of Go also believe a length before they look whether so many
// bytes follow, and with it ask for gigabytes.

// kind is a type of the compact protocol.
type kind byte

const (
	stop     kind = 0 // ends a struct
	yes      kind = 1 // a bool is its own value
	no       kind = 2
	tiny     kind = 3
	int16s   kind = 4
	int32s   kind = 5
	int64s   kind = 6
	double   kind = 7
	binaries kind = 8
	list     kind = 9
	set      kind = 10
	record   kind = 12
)

// node is a value: the number of an integer, the bytes of a text, the members of a list or of a struct.
type node struct {
	kind    kind
	of      kind  // a list: what its members are
	id      int16 // a member of a struct: its field id
	num     int64
	bytes   []byte
	members []node
}

// maxDepth is how far values may lie within each other. Parquet needs 8.
const maxDepth = 16

// parseStruct reads a struct that fills text. The node points into it.
func parseStruct(text []byte) (*node, error) {
	p := parser{rest: text}
	n := p.value(record, 0)
	if p.err == nil && len(p.rest) > 0 {
		p.err = fmt.Errorf("%d bytes follow its end", len(p.rest))
	}
	return &n, p.err
}

// parser reads on until err is set.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = nil
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.fail("it ends within a value")
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) length() uint64 {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 {
		p.fail("it has a length that is no number")
		return 0
	}
	p.rest = p.rest[size:]
	if n > uint64(len(p.rest)) { // every member of a list takes a byte at least
		p.fail("it has a length of %d, and %d bytes follow", n, len(p.rest))
		return 0
	}
	return n
}

func (p *parser) integer() int64 {
	n, size := binary.Varint(p.rest)
	if size <= 0 {
		p.fail("it has a number that is none")
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) value(k kind, depth int) node {
	n := node{kind: k}
	switch k {
	case yes, no:
	case tiny:
		n.num = int64(p.byte())
	case int16s, int32s, int64s:
		n.num = p.integer()
	case double:
		n.bytes = p.take(8)
	case binaries:
		n.bytes = p.take(p.length())
	case list, set:
		p.list(&n, depth+1)
	case record:
		p.fields(&n, depth+1)
	default:
		p.fail("it has a value of kind %d", k)
	}
	return n
}

func (p *parser) list(n *node, depth int) {
	head := p.byte()
	n.of = kind(head & 0xf)
	size := uint64(head >> 4)
	if size == 0xf {
		size = p.length()
	}
	if depth > maxDepth || size > uint64(len(p.rest)) {
		p.fail("it has a list of %d in %d bytes, %d deep", size, len(p.rest), depth)
		return
	}
	n.members = make([]node, 0, size)
	for range size {
		if n.of == yes || n.of == no { // in a list a bool is a byte
			n.members = append(n.members, node{kind: n.of, num: int64(p.byte())})
		} else {
			n.members = append(n.members, p.value(n.of, depth))
		}
		if p.err != nil {
			return
		}
	}
}

func (p *parser) fields(n *node, depth int) {
	if depth > maxDepth {
		p.fail("it is more than %d deep", maxDepth)
	}
	n.members = make([]node, 0, 8) // as many as most structs of a footer have
	last := int16(0)
	for p.err == nil {
		head := p.byte()
		if kind(head) == stop {
			return
		}
		id := int64(last) + int64(head>>4)
		if head>>4 == 0 {
			id = p.integer()
		}
		if id <= int64(last) || id > 1<<15-1 {
			p.fail("field %d follows field %d", id, last)
			return
		}
		member := p.value(kind(head&0xf), depth)
		member.id = int16(id)
		last = member.id
		n.members = append(n.members, member)
	}
}

// appendStruct appends a struct to text.
func appendStruct(text []byte, n *node) []byte {
	last := int16(0)
	for i := range n.members {
		m := &n.members[i]
		if delta := m.id - last; delta <= 15 {
			text = append(text, byte(delta)<<4|byte(m.kind))
		} else {
			text = binary.AppendVarint(append(text, byte(m.kind)), int64(m.id))
		}
		last = m.id
		text = appendValue(text, m)
	}
	return append(text, byte(stop))
}

func appendValue(text []byte, n *node) []byte {
	switch n.kind {
	case tiny:
		return append(text, byte(n.num))
	case int16s, int32s, int64s:
		return binary.AppendVarint(text, n.num)
	case double:
		return append(text, n.bytes...)
	case binaries:
		return append(binary.AppendUvarint(text, uint64(len(n.bytes))), n.bytes...)
	case list, set:
		return appendList(text, n)
	case record:
		return appendStruct(text, n)
	}
	return text // a bool, which the field's head has said
}

func appendList(text []byte, n *node) []byte {
	if size := len(n.members); size < 0xf {
		text = append(text, byte(size)<<4|byte(n.of))
	} else {
		text = binary.AppendUvarint(append(text, 0xf0|byte(n.of)), uint64(size))
	}
	for i := range n.members {
		if n.of == yes || n.of == no {
			text = append(text, byte(n.members[i].num))
		} else {
			text = appendValue(text, &n.members[i])
		}
	}
	return text
}

// field returns a member of a struct, nil where there is none of that id and kind. A nil node has no fields.
func (n *node) field(id int16, k kind) *node {
	if n == nil || n.kind != record {
		return nil
	}
	for i := range n.members {
		if m := &n.members[i]; m.id == id && m.kind == k {
			return m
		}
	}
	return nil
}

// absent is the number of a field that is not there. None that a footer needs to have is negative.
const absent = -1

func (n *node) number(id int16, k kind) int64 {
	if m := n.field(id, k); m != nil {
		return m.num
	}
	return absent
}

// text returns a field's bytes, nil where it is not there.
func (n *node) text(id int16) []byte {
	if m := n.field(id, binaries); m != nil {
		return m.bytes
	}
	return nil
}

// list returns the members of a list, none where it is not there.
func (n *node) list(id int16) []node {
	if m := n.field(id, list); m != nil {
		return m.members
	}
	return nil
}
