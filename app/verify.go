package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kith/event"
	"kith/internal/duck"
	"kith/journal"
	"kith/query"
	"kith/serve"
)

// maintenance is what the API offers of it: serve.Maintenance.
type maintenance struct{ app *App }

// Commit moves the hot tail into the Iceberg table, everything acknowledged so far.
func (m maintenance) Commit(ctx context.Context) error {
	s, err := m.app.kept.get()
	if err != nil {
		return err
	}
	view, err := s.processor.Fresh(ctx, m.app.writer.Durable())
	if err != nil {
		return err
	}
	view.Release()
	return s.lake.Commit(ctx)
}

// Verify checks what lies in the data folder: journal, lake, dedupe, or rebuild: everything made once more from the
// journal and compared. say is told of each check as it ends.
func (m maintenance) Verify(ctx context.Context, what string, say func(serve.Check)) error {
	checks := map[string]func(context.Context) (string, error){
		"journal": m.app.verifyJournal, "lake": m.app.verifyLake, "dedupe": m.app.verifyDedupe, "rebuild": m.app.verifyRebuild,
	}
	names := []string{"journal", "lake", "dedupe"}
	if what != "" {
		names = []string{what}
	}
	for _, name := range names {
		check, known := checks[name]
		if !known {
			return event.Errorf(event.Invalid, "there is no such check").At("what", name).WithHint("journal, lake, dedupe, rebuild")
		}
		began := time.Now()
		detail, err := check(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result := serve.Check{Name: name, OK: err == nil, Detail: detail, Seconds: time.Since(began).Seconds()}
		for _, e := range event.Errors(err) {
			result.Problems = append(result.Problems, e.Error())
		}
		say(result)
	}
	return nil
}

func (a *App) verifyJournal(context.Context) (string, error) {
	report, err := journal.Verify(a.folder.Path("journal"), partition)
	if err != nil {
		return "", err
	}
	var events, bytes int64
	for _, s := range report.Segments {
		events, bytes = events+s.Count, bytes+s.Bytes
		if s.Damage != nil {
			err = &event.Error{Code: event.Corrupt, Message: fmt.Sprintf("byte %d: %s", s.Damage.Offset, s.Damage.Reason), Place: event.Place{File: s.Path}}
		}
	}
	return fmt.Sprintf("%d segments, %d events, %d bytes", len(report.Segments), events, bytes), err
}

func (a *App) verifyLake(ctx context.Context) (string, error) {
	s, err := a.kept.get()
	if err != nil {
		return "", err
	}
	report, err := s.lake.Verify(ctx)
	if err == nil && len(report.Problems) > 0 {
		err = report.Problems[0]
	}
	return fmt.Sprintf("view %s, %d files, %d rows, %d bytes", report.View, report.Files, report.Rows, report.Bytes), err
}

func (a *App) verifyDedupe(context.Context) (string, error) {
	s, err := a.kept.get()
	if err != nil {
		return "", err
	}
	report, err := s.seen.Verify()
	return fmt.Sprintf("%d ids in %d runs, %d bytes", report.IDs, report.Runs, report.Bytes), err
}

// verifyRebuild carries the whole journal into fresh stores beside the real ones and compares digests of all rows of
// both, in order of seq.
func (a *App) verifyRebuild(ctx context.Context) (detail string, err error) {
	stored, err := a.kept.get()
	if err != nil {
		return "", err
	}
	upto := a.writer.Durable()
	dir := a.folder.Path("tmp", "rebuild")
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("empty the folder of the last rebuild: %w", err)
	}
	defer os.RemoveAll(dir)
	fresh, err := a.storesIn(ctx, func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) })
	if err != nil {
		return "", err
	}
	defer fresh.close()
	running, stop := context.WithCancel(ctx)
	carried := make(chan error, 1)
	go func() { carried <- fresh.processor.Run(running, func() {}) }()
	defer func() { stop(); <-carried }()
	view, err := fresh.processor.Fresh(ctx, upto)
	if err != nil {
		return "", err
	}
	view.Release()
	options := a.duckOptions("verify", stored.folder)
	options.Read = append(options.Read, fresh.folder)
	pool, err := duck.NewPool(options)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	real, err := a.digests(ctx, pool, stored, upto)
	if err != nil {
		return "", err
	}
	again, err := a.digests(ctx, pool, fresh, upto)
	if err != nil {
		return "", err
	}
	if real != again {
		return "", event.Errorf(event.Corrupt, "the journal makes other rows now: stored %s, rebuilt %s", real, again)
	}
	return fmt.Sprintf("events up to %d, stored and rebuilt alike: %s", upto-1, real), nil
}

// digests returns the sha256 of the canonical dump of each table below upto: CSV in order of seq.
func (a *App) digests(ctx context.Context, pool *duck.Pool, s *stores, upto event.Seq) (string, error) {
	engine := query.New(query.Options{Pool: pool, Source: tables{a.journal, func() event.Seq { return upto }, func() (*stores, error) { return s, nil }, false}, Limits: query.Limits{Time: time.Hour, Rows: 1 << 40, Bytes: 1 << 50}})
	var all []string
	for _, table := range []string{"clean.events", "clean.quarantine"} {
		sum := &digest{Hash: sha256.New()}
		request := query.Request{SQL: "SELECT * FROM " + table + " ORDER BY seq", Format: duck.CSV, At: query.At{Seq: upto - 1}}
		if upto == 1 {
			request.At = query.At{}
		}
		if _, err := engine.Run(ctx, request, sum); err != nil {
			return "", fmt.Errorf("dump %s: %w", table, err)
		}
		all = append(all, table+" "+hex.EncodeToString(sum.Sum(nil)))
	}
	return strings.Join(all, ", "), nil
}

// digest takes an answer and keeps its sum.
type digest struct{ hash.Hash }

// Begin has nothing to prepare.
func (*digest) Begin(query.Header) error { return nil }
