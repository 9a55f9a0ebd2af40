package app

import (
	"context"
	"errors"
	"time"

	"kith/event"
	"kith/identity"
	"kith/lake"
	"kith/pipeline"
	"kith/pipeline/dedupe"
	"kith/prepare"
)

// stores is what one partition's journal becomes: a function of it, and nothing else, so a second one can be made from
// the same journal and compared.
type stores struct {
	folder    string // the lake's
	lake      *lake.Lake
	interner  *identity.Interner
	seen      *dedupe.Index
	prepare   *prepare.Preparer
	processor *pipeline.Processor
	closers   []func() error
}

// storesIn opens the stores in a folder, each brought back to the lake's checkpoint.
func (a *App) storesIn(ctx context.Context, path func(names ...string) string) (_ *stores, err error) {
	s := &stores{folder: path("lake")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	c := a.config.Lake
	s.lake, err = lake.Open(ctx, lake.Options{Dir: s.folder, Log: a.log,
		CommitRows: int64(c.CommitRows), CommitAfter: c.CommitInterval, CommitLate: c.CommitQuiet, Keep: c.KeepSnapshots})
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.lake.Close)
	at := s.lake.Checkpoint()
	if s.interner, err = identity.Open(path("identity"), at.Identity, identity.Options{}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.interner.Close)
	if s.seen, err = dedupe.Open(path("dedupe"), at.Dedupe, dedupe.Options{}); err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.seen.Close)
	earliest, err := time.Parse(time.DateOnly, a.config.Prepare.Earliest)
	if err != nil {
		return s, event.Errorf(event.Invalid, "is no day").At("prepare.earliest", a.config.Prepare.Earliest).WithHint("such as 1990-01-01")
	}
	s.prepare = prepare.New(prepare.Options{Earliest: earliest})
	pace := pipeline.DefaultPace()
	pace.Interval = c.FlushInterval
	s.processor = pipeline.New(pipeline.Options{Partition: partition, Journal: a.journal, Prepare: s.prepare, Seen: s.seen,
		Identities: s.interner, Lake: s.lake, Log: a.log, Pace: pace})
	return s, nil
}

// letGo closes what only the processor uses, after it has failed: others will write those files now. What the lake has
// stored can still be read.
func (s *stores) letGo() {
	for len(s.closers) > 1 {
		last := len(s.closers) - 1
		_ = s.closers[last]() // they failed already, or they have nothing to write
		s.closers = s.closers[:last]
	}
}

func (s *stores) close() (err error) {
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}
