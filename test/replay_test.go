package test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"kith/collect"
	"kith/event"
	"kith/govern"
	"kith/identity"
	"kith/journal"
	"kith/lake"
	"kith/pipeline"
	"kith/pipeline/dedupe"
	"kith/prepare"

	"bytes"
	"net/http/httptest"
	"syscall"
)

// BenchmarkReplay carries half a million events from a journal into a lake and reports the CPU of each event, that of
// the collector's side not counted. -cpuprofile shows its stages.
func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	log, err := journal.OpenFile(filepath.Join(dir, "journal"), journal.FileOptions{MinFree: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	writer := journal.NewWriter(log, 0, journal.WriterOptions{})
	collector := collect.New(collect.Options{Journal: writer, Gate: anyone{}, Sources: nowhere{}})
	const events = 500_000
	fill(b, collector, events)
	b.ResetTimer()
	for b.Loop() {
		began := cpu(b)
		wall := time.Now()
		replay(b, log, b.TempDir(), writer.Durable())
		b.ReportMetric((cpu(b)-began)*1e6/events, "µs-cpu/event")
		b.ReportMetric(events/time.Since(wall).Seconds(), "events/s")
	}
}

func fill(b *testing.B, c *collect.Collector, events int) {
	l := newLoad(1)
	var body []byte
	door := c.Doors()[0]
	for sent := 0; sent < events; sent += 500 {
		body, _ = l.batch(body[:0], 500, time.Now())
		req := httptest.NewRequest("POST", door.Path, bytes.NewReader(body))
		req.SetBasicAuth("key", "")
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, req)
		if answer.Code != 200 {
			b.Fatal(answer.Body)
		}
	}
}

func replay(b *testing.B, log *journal.File, dir string, upto event.Seq) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ids, err := identity.Open(filepath.Join(dir, "identity"), 0, identity.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer ids.Close()
	seen, err := dedupe.Open(filepath.Join(dir, "dedupe"), nil, dedupe.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer seen.Close()
	p := pipeline.New(pipeline.Options{Journal: log, Prepare: prepare.New(prepare.Options{}), Seen: seen, Identities: ids, Lake: l,
		Log: slog.New(slog.DiscardHandler), Pace: pipeline.DefaultPace()})
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, func() {}) }()
	view, err := p.Fresh(ctx, upto)
	if err != nil {
		b.Fatal(err)
	}
	view.Release()
	if err := l.Commit(ctx); err != nil {
		b.Fatal(err)
	}
	cancel()
	<-ended
}

func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

type anyone struct{}

func (anyone) Decide(context.Context, govern.Credential, govern.Action) (govern.Principal, error) {
	return govern.Principal{Kind: govern.Source, Source: 1, SourceName: "bench", KeyID: "k"}, nil
}

type nowhere struct{}

func (nowhere) ByName(string) (event.SourceID, bool) { return 0, false }
