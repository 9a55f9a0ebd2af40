package dedupe

import (
	"encoding/binary"

	"github.com/dchest/siphash"
)

// A key is what the index sorts and compares: 128 bits that hold the hour and 96 bits of fingerprint.
//
//	timed     0 | hour 31                    | fingerprint 96
//	untimed   1 | hour/64: 25 | fingerprint 96 | hour%64: 6
//
// Hours lead, so that traffic of the present stays in few sections of a run. In untimed keys the hour's low part
// comes last: all hours that one look-up asks for lie side by side, in at most two places.
//
// Ninety-six bits are enough. Only ids of the same hour (of 49 hours, untimed) can be taken for one another, and
// the fingerprint is a pseudo-random function under a secret key, so nobody can aim. Two of n ids in an hour collide
// with probability n²/2^97: at 180 million an hour (50,000 a second), 2e-13 an hour, 2e-8 in ten years of it. At a
// million an hour it is 6e-13 in ten years. Untimed, at 50,000 a second, 9e-7 in ten years.
type key struct{ hi, lo uint64 }

func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

func (k key) minus(o key) key {
	d := key{k.hi - o.hi, k.lo - o.lo}
	if k.lo < o.lo {
		d.hi--
	}
	return d
}

func (k key) plus(o key) key {
	s := key{k.hi + o.hi, k.lo + o.lo}
	if s.lo < k.lo {
		s.hi++
	}
	return s
}

const (
	untimedBit = 1 << 63
	golden     = 0x9e3779b97f4a7c15
)

// hash is where the key lies in a table and what filters know it by: 64 bits of the fingerprint, moved by the hour so
// that one id in many hours does not crowd one place. Untimed keys that one look-up asks for at once share it.
func (k key) hash() uint64 {
	if k.hi < untimedBit {
		return k.lo ^ (k.hi>>32)*golden
	}
	return (k.hi<<58 | k.lo>>6) ^ (k.hi>>38)*golden
}

// An entry is one remembered id: a zero key is none.
type entry struct {
	key
	seq uint64
}

// A span is the keys from {hi, first} to {hi, last}: one key, or an untimed id's hours in one group of 64.
type span struct{ hi, first, last uint64 }

func (s span) lower() key { return key{s.hi, s.first} }
func (s span) upper() key { return key{s.hi, s.last} }

// A fingerprint is 96 bits.
type fingerprint struct {
	a uint64
	b uint32
}

const (
	hourMicros = 3_600_000_000
	window     = 48      // hours that an untimed id is remembered for, at least
	hourZero   = 1 << 29 // 1970 in the numbers of hours that keys hold; 1 to 2^31-1
)

// hourOf numbers the hour of a time. Times more than 61,000 years from now share the last or first hour.
func hourOf(micros int64) uint32 {
	h := micros / hourMicros
	if micros%hourMicros < 0 {
		h--
	}
	return uint32(min(max(h+hourZero, 1), 1<<31-1))
}

func timedKey(hour uint32, f fingerprint) key {
	return key{uint64(hour)<<32 | f.a>>32, f.a<<32 | uint64(f.b)}
}

func untimedKey(hour uint32, f fingerprint) key {
	return key{untimedBit | uint64(hour>>6)<<38 | f.a>>26, f.a<<38 | uint64(f.b)<<6 | uint64(hour&63)}
}

// A query is where an id may be and where it goes if it is nowhere.
type query struct {
	spans [2]span
	n     int // of spans
	at    key
}

func (s secret) query(k Key, scratch *[]byte) query {
	f := s.fingerprint(k, scratch)
	if k.HasTime {
		at := timedKey(hourOf(k.TS), f)
		return query{spans: [2]span{{at.hi, at.lo, at.lo}}, n: 1, at: at}
	}
	hour := hourOf(k.ReceivedAt)
	at, from := untimedKey(hour, f), untimedKey(hour-min(hour-1, window), f)
	if from.hi == at.hi {
		return query{spans: [2]span{{at.hi, from.lo, at.lo}}, n: 1, at: at}
	}
	return query{spans: [2]span{{at.hi, at.lo &^ 63, at.lo}, {from.hi, from.lo, from.lo | 63}}, n: 2, at: at}
}

func (s secret) fingerprint(k Key, scratch *[]byte) fingerprint {
	b := binary.LittleEndian.AppendUint32((*scratch)[:0], uint32(k.Source))
	b = append(b, k.MessageID...)
	*scratch = b
	h0, h1 := siphash.Hash128(s.k0, s.k1, b)
	return fingerprint{h0, uint32(h1)}
}
