package test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// reader asks all the time and holds each answer against the ledger and against the answers before it:
//
//   - no seq stands twice, and no (source, message id) either;
//   - every event is there whose 200 was read before the query was sent, and none that was never sent;
//   - rows up to the last seq of the answer before it are the same ones still: nothing goes, and nothing comes
//     between them later.
type reader struct {
	siege *siege

	seen     set   // events that an answer held
	count    int   // of them
	last     int64 // the highest seq of an answer
	verified int   // acknowledged events that were looked for
	answers  atomic.Int64
	raw      int           // rows of raw.events at the end
	life     int           // that the newest answer came from
	answered chan struct{} // has an element after an answer
}

func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		url, life, err := r.siege.where(ctx)
		if err != nil {
			return
		}
		if err := r.look(ctx, url); err != nil && ctx.Err() == nil {
			if wrong := (*wrongAnswer)(nil); errors.As(err, &wrong) {
				r.siege.wrong("answer %d, in life %d: %w", r.answers.Load()+1, life, err)
			}
			r.siege.tripped(ctx, life, err)
			continue
		}
		r.answers.Add(1)
		r.siege.mu.Lock()
		r.life = life
		r.siege.mu.Unlock()
		select {
		case r.answered <- struct{}{}:
		default:
		}
		pause(ctx, 30*time.Millisecond)
	}
}

// wrongAnswer is an answer that must never be given.
type wrongAnswer struct{ text string }

func (w *wrongAnswer) Error() string { return w.text }

func wrongf(format string, args ...any) error { return &wrongAnswer{fmt.Sprintf(format, args...)} }

// look asks once. The totals and the new rows come from one statement, so from one view.
func (r *reader) look(ctx context.Context, url string) error {
	must := r.siege.ledger.acked()
	lines, err := r.siege.query(ctx, url, fmt.Sprintf(`
		SELECT seq, source, message_id, NULL, NULL FROM clean.events WHERE seq > %d
		UNION ALL
		SELECT count(*), 'total', 'all', count(DISTINCT seq), count(DISTINCT (source, message_id)) FROM clean.events`, r.last))
	if err != nil {
		return err
	}
	var total string
	last := r.last
	for _, line := range lines {
		f := strings.Split(line, ",")
		if len(f) != 5 {
			return wrongf("a row is %q", line)
		}
		if f[1] == "total" {
			total = line
			continue
		}
		seq, err := strconv.ParseInt(f[0], 10, 64)
		n := r.siege.ledger.number(f[1], f[2])
		switch {
		case err != nil || n < 0:
			return wrongf("a row was never sent: %q", line)
		case !r.seen.add(n):
			return wrongf("a row stands twice, or came again under another seq: %q (rows up to seq %d were known)", line, r.last)
		}
		r.count++
		last = max(last, seq)
	}
	if want := fmt.Sprintf("%d,total,all,%d,%d", r.count, r.count, r.count); total != want {
		return wrongf("count, distinct seqs and distinct ids are %s; known from answers up to this one: %d rows up to seq %d", total, r.count, last)
	}
	for _, n := range must[r.verified:] {
		if !r.seen.has(n) {
			return wrongf("event m-%07d of %s was acknowledged before the query was sent, and is not in the answer (which reaches up to seq %d)", n/2, sourceNames[n%2], last)
		}
	}
	r.verified, r.last = len(must), last
	return nil
}

// wait returns when an answer of the present life has come.
func (r *reader) wait(limit time.Duration) error {
	deadline := time.After(limit)
	for {
		r.siege.mu.Lock()
		done, failed := r.life == r.siege.life, r.siege.failed
		r.siege.mu.Unlock()
		if done || failed != nil {
			return failed
		}
		select {
		case <-r.answered:
		case <-r.siege.alarm:
		case <-deadline:
			return fmt.Errorf("no answer within %s", limit)
		}
	}
}
