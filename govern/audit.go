package govern

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"kith/event"
)

// maxPending is how many rows may wait for the writer; who adds one more writes them first.
const maxPending = 4096

// entry is one row of the audit log.
type entry struct {
	At             time.Time
	Who            Principal
	Action         Action
	Object, Detail string
	Allowed        bool
	Remote         netip.Addr
}

// auditor writes rows in batches: its goroutine sleeps until there is one, then writes all that came meanwhile in one
// transaction. While the last write failed it is broken: whoever adds a row must first get the waiting ones written.
type auditor struct {
	db    *sql.DB
	log   *slog.Logger
	extra func(context.Context, *sql.Tx) error // what else goes along with a write

	mu      sync.Mutex
	pending []entry
	added   int64 // rows ever added
	broken  bool
	closed  bool

	writing sync.Mutex
	written int64 // rows ever written; guarded by writing

	wake chan struct{}
	done chan struct{}
}

func newAuditor(db *sql.DB, log *slog.Logger, extra func(context.Context, *sql.Tx) error) *auditor {
	a := &auditor{db: db, log: log, extra: extra, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go a.run()
	return a
}

func (a *auditor) run() {
	defer close(a.done)
	for range a.wake {
		if err := a.flush(a.mark()); err != nil {
			a.log.Error("the audit log cannot be written; what it must hold is refused until it can", "error", err)
		}
	}
}

func (a *auditor) mark() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.added
}

// add takes one row; wait says to return only once it is durable. An error means that the row will not be there, and
// what it is about must not happen.
func (a *auditor) add(ctx context.Context, e entry, wait bool) error {
	a.mu.Lock()
	first, closed := a.broken || len(a.pending) >= maxPending, a.closed
	a.mu.Unlock()
	if closed {
		return unaudited(nil)
	}
	if first {
		if err := a.flush(a.mark()); err != nil {
			return unaudited(err)
		}
	}
	if wait { // alone in its transaction: if it fails nothing of it is left to be written later
		return a.write(ctx, []entry{e})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return unaudited(nil)
	}
	a.pending = append(a.pending, e)
	a.added++
	a.poke()
	return nil
}

// poke wakes the writer. The caller holds mu and has seen that the auditor is not closed.
func (a *auditor) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// touch has the writer run for what goes along with a write.
func (a *auditor) touch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.poke()
	}
}

func (a *auditor) write(ctx context.Context, batch []entry) error {
	if err := a.insert(ctx, batch); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return unaudited(err)
	}
	return nil
}

// flush writes the waiting rows, unless another call wrote the first upto already.
func (a *auditor) flush(upto int64) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	if upto > 0 && a.written >= upto && !a.isBroken() {
		return a.insert(context.Background(), nil)
	}
	a.mu.Lock()
	batch := a.pending
	a.pending = nil
	a.mu.Unlock()
	err := a.insert(context.Background(), batch)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err != nil
	if err != nil {
		a.pending = append(batch, a.pending...)
		return err
	}
	a.written += int64(len(batch))
	return nil
}

func (a *auditor) isBroken() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

func (a *auditor) insert(ctx context.Context, batch []entry) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	statement, err := tx.PrepareContext(ctx, `INSERT INTO audit (at, kind, who_id, who, role, action, object, allowed, detail, remote)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, e := range batch {
		remote := ""
		if e.Remote.IsValid() {
			remote = e.Remote.String()
		}
		_, err := statement.ExecContext(ctx, e.At.UnixMicro(), e.Who.Kind, e.Who.ID, e.Who.Name, e.Who.Role, string(e.Action), e.Object,
			e.Allowed, e.Detail, remote)
		if err != nil {
			return err
		}
	}
	if err := a.extra(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (a *auditor) close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	close(a.wake)
	a.mu.Unlock()
	<-a.done
	return a.flush(0)
}

func unaudited(err error) error {
	return &event.Error{Code: event.Unavailable, Message: "the audit log cannot be written, so this is not allowed now", Err: err,
		Hint: "see the server's log; the disk may be full"}
}

// Record writes what a door knows only after the decision, such as the text of a query, before it does it. An error
// means that it must not be done.
func (p *Policy) Record(ctx context.Context, who Principal, a Action, object, detail string) error {
	index, known := a.index()
	if !known {
		return event.Errorf(event.Internal, "there is no action %q", a)
	}
	row := entry{At: p.now(), Who: who, Action: a, Object: object, Detail: detail, Allowed: true}
	return p.audit.add(ctx, row, actions[index].changes)
}

// AuditEntry is one row of the audit log as it is read.
type AuditEntry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" doc:"user, token or local"`
	WhoID   int64     `json:"who_id"`
	Who     string    `json:"who"`
	Role    string    `json:"role"`
	Action  string    `json:"action"`
	Object  string    `json:"object" doc:"What it was about: a route, a table."`
	Allowed bool      `json:"allowed"`
	Detail  string    `json:"detail,omitempty" doc:"Such as the text of a query."`
	Remote  string    `json:"remote,omitempty" doc:"The address it came from."`
}

// AuditLog returns the newest entries whose id is below before (0: from the newest), at most limit, newest first.
func (p *Policy) AuditLog(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	if err := p.audit.flush(p.audit.mark()); err != nil {
		return nil, unaudited(err)
	}
	rows, err := p.db.QueryContext(ctx, `SELECT id, at, kind, who_id, who, role, action, object, allowed, detail, remote
		FROM audit WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	all := []AuditEntry{}
	for rows.Next() {
		var e AuditEntry
		var at int64
		err := rows.Scan(&e.ID, &at, &e.Kind, &e.WhoID, &e.Who, &e.Role, &e.Action, &e.Object, &e.Allowed, &e.Detail, &e.Remote)
		if err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		e.At = time.UnixMicro(at).UTC()
		all = append(all, e)
	}
	return all, rows.Err()
}
