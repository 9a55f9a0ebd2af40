// Package identity numbers identifiers: each user id, anonymous id and e-mail address gets, in the order in which they
// are first seen, a birth number that it keeps for ever. Events carry the number of their strongest identifier, their
// anchor. Nothing is linked yet: who is one person is decided above these numbers.
//
// The identifiers lie in an append-only file of facts (format.md), which is cut to the length in the lake's checkpoint
// when it is opened; what is behind it is found again by reading the journal on. In memory there is a table from a
// keyed 128-bit hash to the number, about 26 bytes an identifier, and no text.
package identity

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"kith/event"

	"github.com/dchest/siphash"
)

// Kind is what sort of identifier a text is. The codes stand in the file and never change.
type Kind uint8

// The kinds.
const (
	UserID      Kind = 1
	AnonymousID Kind = 2
	Email       Kind = 3
	GroupID     Kind = 4
)

// String is the kind as an event.Identifier has it.
func (k Kind) String() string {
	switch k {
	case UserID:
		return "user_id"
	case AnonymousID:
		return "anonymous_id"
	case Email:
		return "email"
	case GroupID:
		return "group_id"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, bool) {
	for k := UserID; k <= GroupID; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Options of an Interner. The zero value is right for a partition of the journal.
type Options struct {
	// Buffer is how many bytes of facts are collected before they are written, Flush or not; 1 MiB.
	Buffer int
}

// Interner gives identifiers their numbers. Number and Anchor belong to one goroutine; every other method may be called
// from any.
type Interner struct {
	buffer int
	key    key

	mu    sync.RWMutex // writers: the goroutine of Number, and Flush; the goroutine of Number reads without
	table table
	log   factLog

	flushing sync.Mutex // one Flush at a time
	stuck    bool       // the last write failed; only Flush tries again
	syncing  sync.Mutex
	poisoned error // a failed fsync: what the file holds is not known
	linked   bool  // the file's name is durable
}

// Open opens the facts in dir, up to length bytes of them: what the checkpoint covers. 0 begins anew. Damage within
// that length is an error with code Corrupt that names the offset; what lies behind is cut off unseen.
func Open(dir string, length int64, o Options) (*Interner, error) {
	if o.Buffer == 0 {
		o.Buffer = 1 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open identity %s: %w", dir, err)
	}
	n := &Interner{buffer: o.Buffer}
	if err := n.open(dir, length); err != nil {
		return nil, fmt.Errorf("open identity %s: %w", dir, err)
	}
	return n, nil
}

// Number returns the number of an identifier, and gives it one if it has none: seq is then where it was first seen.
func (n *Interner) Number(kind Kind, value []byte, seq event.Seq) int64 {
	h := n.key.hash(kind, value)
	if birth := n.table.find(h); birth != 0 {
		return birth
	}
	n.mu.Lock()
	birth := n.table.add(h)
	n.log.append(birth, kind, value, seq)
	full := len(n.log.pending) >= n.buffer
	n.mu.Unlock()
	if full {
		n.spill()
	}
	return birth
}

// Anchor numbers the event's identifiers and returns the number of the strongest: user id before e-mail address before
// anonymous id. 0 means that the event has none. The previous id of an alias is numbered too, as the kind under which
// it is known; as a user id if it is new.
func (n *Interner) Anchor(e *event.Event) int64 {
	var anchor int64
	for _, id := range [...]struct {
		kind  Kind
		value event.Text
	}{{UserID, e.UserID}, {Email, e.Email}, {AnonymousID, e.AnonymousID}} {
		if len(id.value) == 0 {
			continue
		}
		if birth := n.Number(id.kind, id.value, e.Seq); anchor == 0 {
			anchor = birth
		}
	}
	if len(e.PreviousID) > 0 && n.table.find(n.key.hash(AnonymousID, e.PreviousID)) == 0 {
		n.Number(UserID, e.PreviousID, e.Seq)
	}
	return anchor
}

// Find returns an identifier's number, if it has one.
func (n *Interner) Find(kind Kind, value []byte) (int64, bool) {
	h := n.key.hash(kind, value)
	n.mu.RLock()
	birth := n.table.find(h)
	n.mu.RUnlock()
	return birth, birth != 0
}

// Len is how many identifiers there are, and so the greatest number.
func (n *Interner) Len() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.table.births
}

// key makes the hash one that a client cannot aim at: nobody can make two identifiers that meet in it, and so become
// somebody else. It is random, lies in the file, and decides about no number.
type key [16]byte

// hash is SipHash-2-4 with 128 bits of result. 98 of them tell identifiers apart, and the chance that any two of a
// billion meet is 2 in 10¹², so that the texts need not be compared.
func (k *key) hash(kind Kind, value []byte) hash {
	hi, lo := siphash.Hash128(binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])^uint64(kind), value)
	return hash{hi, lo}
}
