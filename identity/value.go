package identity

import (
	"fmt"

	"kith/event"
)

// Value reads the identifier with a birth number back from the file.
func (n *Interner) Value(birth int64) (event.Identifier, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if birth < 1 || birth > n.table.births {
		return event.Identifier{}, event.Errorf(event.NotFound, "no identifier has the number %d; the last one is %d", birth, n.table.births)
	}
	at, skip := n.log.index[(birth-1)/indexEvery], int((birth-1)%indexEvery)
	for size := 4 << 10; ; size *= 2 {
		chunk := make([]byte, size)
		got, err := n.log.readAt(chunk, at)
		if err != nil {
			return event.Identifier{}, fmt.Errorf("read identifier %d: %w", birth, err)
		}
		if f, ok := nth(chunk[:got], skip); ok {
			return event.Identifier{Kind: f.kind.String(), Value: string(f.value)}, nil
		}
		if got < size {
			return event.Identifier{}, fmt.Errorf("read identifier %d: %w", birth, corrupt(at, "it should stand behind this byte"))
		}
	}
}

// nth returns the fact that follows skip others, past the headers of groups that begin between them.
func nth(b []byte, skip int) (fact, bool) {
	for {
		if len(b) > groupHeader && b[0] == groupTag {
			b = b[groupHeader:]
		}
		f, size := readFact(b)
		if size == 0 {
			return fact{}, false
		}
		if skip == 0 {
			return f, true
		}
		b = b[size:]
		skip--
	}
}

// readAt fills b from an offset of the file on, and from what is not written yet; less than b holds is all there is.
func (l *factLog) readAt(b []byte, at int64) (int, error) {
	got := 0
	if at < l.written {
		want := int(min(int64(len(b)), l.written-at))
		n, err := l.f.ReadAt(b[:want], at)
		if n < want {
			return n, err
		}
		got = n
	}
	for _, part := range [...]struct {
		from  int64
		bytes []byte
	}{{l.written, l.writing}, {l.written + int64(len(l.writing)), l.pending}} {
		if behind := at + int64(got) - part.from; got < len(b) && behind < int64(len(part.bytes)) {
			got += copy(b[got:], part.bytes[behind:])
		}
	}
	return got, nil
}
