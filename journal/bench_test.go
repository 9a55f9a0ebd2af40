package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kith/event"
	"kith/journal"
)

const eventsABatch = 100

// batches makes n batches of 100 lines of about 800 bytes, each with its own ids, pages and prices.
func batches(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	pages := []string{"/shoes/trail-runner", "/shirts/linen", "/checkout/step-2", "/account/orders", "/"}
	all := make([][]byte, n)
	for i := range all {
		var b bytes.Buffer
		for range eventsABatch {
			page := pages[r.IntN(len(pages))]
			fmt.Fprintf(&b, `{"source":"web","source_id":3,"door":"segment","key":"k_7f3a","ip":"203.0.113.%d","ua":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36","sent_at":"2026-02-03T04:05:%02d.%03dZ","event":{"type":"track","event":"Product Viewed","messageId":"ajs-%016x%016x","anonymousId":"%08x-%04x-4%03x-a%03x-%012x","timestamp":"2026-02-03T04:05:%02d.%03dZ","properties":{"product_id":"SKU-%05d","name":"Trail Runner %d","price":%d.%02d,"currency":"EUR","category":"Shoes","position":%d},"context":{"page":{"url":"https://shop.example%s?ref=%d","path":"%s","title":"Shop"},"library":{"name":"analytics.js","version":"2.11.1"},"locale":"en-GB","timezone":"Europe/Berlin","screen":{"width":1920,"height":1080}}}}`+"\n",
				r.IntN(255), 100+r.IntN(40), r.IntN(60), r.IntN(1000), r.Uint64(), r.Uint64(), r.Uint32(), r.IntN(1<<16),
				r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16, r.IntN(60), r.IntN(1000), r.IntN(100000), r.IntN(9),
				r.IntN(300), r.IntN(100), r.IntN(50), page, r.IntN(1000), page)
		}
		all[i] = b.Bytes()
	}
	return all
}

// BenchmarkAppend measures durable appends of 100 lines by 16 callers at once, and the anchor in the same run: the
// same bytes appended to one file, with one fdatasync a batch.
func BenchmarkAppend(b *testing.B) {
	input := batches(64)
	f, err := journal.OpenFile(b.TempDir(), journal.FileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := journal.NewWriter(f, 0, journal.WriterOptions{})
	var n atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Append(context.Background(), input[int(n.Add(1))%len(input)], eventsABatch); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	took := b.Elapsed()
	anchor := appendToOneFile(b, input, b.N)
	_, stored, _ := f.Prefix(0)
	segments, _ := f.Segments(0)
	for _, s := range segments {
		stored += s.Bytes
	}
	rate := float64(b.N*eventsABatch) / took.Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(float64(stored)/float64(b.N*eventsABatch), "B/event")
	b.ReportMetric(anchor.Seconds()/took.Seconds(), "x-anchor")
}

func appendToOneFile(b *testing.B, input [][]byte, n int) time.Duration {
	file, err := os.Create(filepath.Join(b.TempDir(), "anchor"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	start := time.Now()
	for i := range n {
		if _, err := file.Write(input[i%len(input)]); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// BenchmarkRead measures reading and unpacking; an iteration is 100 events.
func BenchmarkRead(b *testing.B) {
	input := batches(64)
	f, err := journal.OpenFile(b.TempDir(), journal.FileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const stored = 200
	for i := range stored {
		_, err := f.Append(context.Background(), 0, journal.Frame{Count: eventsABatch, Lines: input[i%len(input)]})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		frames := 0
		err := f.Read(context.Background(), 0, 1, func(fr journal.Frame) error {
			b.SetBytes(int64(len(fr.Lines)))
			frames++
			if left--; left == 0 || frames == stored {
				return errAll
			}
			return nil
		})
		if !errors.Is(err, errAll) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*eventsABatch)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLine measures finding one event by its seq, anywhere in a segment of 20,000 events.
func BenchmarkLine(b *testing.B) {
	input := batches(64)
	f, err := journal.OpenFile(b.TempDir(), journal.FileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	next, err := f.Append(context.Background(), 0, journal.Frame{Count: eventsABatch, Lines: input[0]})
	for i := 1; err == nil && i < 200; i++ {
		next, err = f.Append(context.Background(), 0, journal.Frame{Count: eventsABatch, Lines: input[i%len(input)]})
	}
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, err := f.Line(context.Background(), 0, event.Seq(1+r.Int64N(int64(next)))); err != nil {
			b.Fatal(err)
		}
	}
}
