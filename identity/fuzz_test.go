package identity_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"kith/event"
	"kith/identity"
)

// reseal makes the checksums of a file right where its groups can be found, so that what lies behind them is reached.
func reseal(content []byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	if len(content) < 32 {
		return
	}
	binary.LittleEndian.PutUint32(content[28:], crc32.Checksum(content[:28], table))
	for rest := content[32:]; len(rest) >= 24; {
		size := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if size > uint64(len(rest)-24) {
			return
		}
		group := rest[:24+size]
		sum := crc32.Update(crc32.Checksum(group[:20], table), table, group[24:])
		binary.LittleEndian.PutUint32(group[20:], sum)
		rest = rest[24+size:]
	}
}

// FuzzOpen reads arbitrary bytes as a file of facts: it is refused as damaged, or every number in it has a value that
// has the number.
func FuzzOpen(f *testing.F) {
	content, checkpoint := written(f)
	dir := f.TempDir()
	f.Add(content, true)
	f.Add(content[:checkpoint], false)
	f.Add(content[:40], true)
	f.Add([]byte("kithfact"), false)
	f.Fuzz(func(t *testing.T, content []byte, sealed bool) {
		if sealed {
			reseal(content)
		}
		n, err := openContent(t, dir, content, int64(len(content)))
		if err != nil {
			if code := event.CodeOf(err); code != event.Corrupt && code != event.Invalid {
				t.Fatal(err)
			}
			return
		}
		for birth := int64(1); birth <= n.Len(); birth++ {
			value, err := n.Value(birth)
			if err != nil {
				t.Fatal(err)
			}
			kind, known := identity.ParseKind(value.Kind)
			if got, _ := n.Find(kind, []byte(value.Value)); !known || got != birth {
				t.Fatalf("%v has number %d, want %d", value, got, birth)
			}
		}
	})
}
