package identity_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"kith/event"
	"kith/identity"
)

// names makes texts of the length of a UUID, without keeping them.
func name(buf []byte, i int) []byte {
	return strconv.AppendInt(append(buf[:0], "0b9e3a52-7c1d-4e8f-9a00-"...), int64(i)+100_000_000_000, 10)
}

func BenchmarkNumberNew(b *testing.B) {
	n := open(b, b.TempDir(), 0)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n.Number(identity.AnonymousID, name(buf, i), event.Seq(i))
	}
}

func BenchmarkNumberKnown(b *testing.B) {
	const all = 1_000_000
	n := filled(b, b.TempDir(), all)
	buf := make([]byte, 0, 64)
	for i := 0; b.Loop(); i++ {
		n.Number(identity.AnonymousID, name(buf, i*7919%all), event.Seq(i))
	}
}

func BenchmarkValue(b *testing.B) {
	const all = 1_000_000
	n := filled(b, b.TempDir(), all)
	for i := 0; b.Loop(); i++ {
		if _, err := n.Value(int64(i*7919%all) + 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, all := range []int{1_000_000, 5_000_000} {
		b.Run(fmt.Sprint(all), func(b *testing.B) {
			dir := b.TempDir()
			length := flush(b, filled(b, dir, all))
			var before, after runtime.MemStats
			var n *identity.Interner
			for b.Loop() {
				n = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				var err error
				if n, err = identity.Open(dir, length, identity.Options{}); err != nil {
					b.Fatal(err)
				}
				n.Close()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(all)*float64(b.N)/b.Elapsed().Seconds(), "identifiers/s")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(all), "heap-B/identifier")
			b.ReportMetric(float64(length)/float64(all), "disk-B/identifier")
			runtime.KeepAlive(n)
		})
	}
}

func filled(b *testing.B, dir string, all int) *identity.Interner {
	n := open(b, dir, 0)
	buf := make([]byte, 0, 64)
	for i := range all {
		n.Number(identity.AnonymousID, name(buf, i), event.Seq(i))
	}
	return n
}
