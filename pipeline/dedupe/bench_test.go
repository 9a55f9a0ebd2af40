package dedupe

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"kith/event"
)

const hourOne = 1_700_000_000_000_000 // where made-up traffic begins

// A traffic makes event i of some pattern. Its ids are 36 bytes long, like a UUID's text.
type traffic struct {
	id [36]byte
	at func(i uint64) int64 // the event's own time
}

func mix64(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *traffic) key(i uint64) Key {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], mix64(i))
	binary.LittleEndian.PutUint64(b[8:], i)
	hex.Encode(t.id[4:], b[:])
	return Key{Source: 7, MessageID: t.id[:], TS: t.at(i), HasTime: true, ReceivedAt: hourOne + int64(i)}
}

// live is a million events an hour, of which one in 200 is up to 36 hours late.
func live(i uint64) int64 {
	at := hourOne + int64(i)*3600
	if r := mix64(i ^ 0xbeef); r%200 == 0 {
		at -= int64(r>>32) % (36 * hourMicros)
	}
	return at
}

// shuffled is any time of five years.
func shuffled(i uint64) int64 { return hourOne - int64(mix64(i^0xfeed)%43_800)*hourMicros }

func oneHour(i uint64) int64 { return hourOne }

func BenchmarkAdd(b *testing.B) {
	for _, p := range []struct {
		name string
		at   func(uint64) int64
	}{{"live", live}, {"shuffled", shuffled}, {"one hour", oneHour}} {
		b.Run(p.name, func(b *testing.B) {
			x, err := Open(b.TempDir(), nil, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			t := traffic{at: p.at}
			b.ReportAllocs()
			for i := range uint64(b.N) {
				x.Add(t.key(i), event.Seq(i+1))
				if i%20_000 == 0 {
					if _, err := x.Flush(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkAddUntimed(b *testing.B) {
	x, err := Open(b.TempDir(), nil, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	t := traffic{at: live}
	for i := range uint64(b.N) {
		k := t.key(i)
		k.HasTime, k.ReceivedAt = false, hourOne+int64(i)*3600
		x.Add(k, event.Seq(i+1))
	}
}
