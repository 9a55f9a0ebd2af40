package govern

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"kith/event"
)

// From so many failures in a row on, the next try must wait: firstWait after the last one, twice that after each more,
// lastWait at most. An address may stand for a whole office, so it has more tries. Failures are forgotten a day after
// the last. A locked account's sessions and tokens go on: locking it is no way to shut its owner out of them.
const (
	accountTries  = 5
	addressTries  = 20
	firstWait     = 30 * time.Second
	lastWait      = time.Hour
	forgetAfter   = 24 * time.Hour
	maxSubjects   = 100_000 // rows of failures; the oldest go
	pruneSubjects = 1_000   // at most so many at once
)

// Locked is the cause of an event.TooMany error: when the next log-in will be looked at.
type Locked struct{ Until time.Time }

func (l *Locked) Error() string { return "locked until " + l.Until.UTC().Format(time.RFC3339) }

// locked refuses while the account or the address has to wait. It tells nothing of whether the account exists.
func (p *Policy) locked(ctx context.Context, email string, remote netip.Addr) error {
	now := p.now()
	until := now
	for _, s := range subjects(email, remote) {
		var count int
		var at int64
		err := p.db.QueryRowContext(ctx, `SELECT count, at FROM failures WHERE subject = ?`, s.name).Scan(&count, &at)
		if err == sql.ErrNoRows {
			continue
		}
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		if end := time.UnixMicro(at).Add(wait(count, s.tries)); end.After(until) {
			until = end
		}
	}
	if !until.After(now) {
		return nil
	}
	e := event.Errorf(event.TooMany, "too many log-ins failed").
		WithHint("the next is looked at in %s", until.Sub(now).Round(time.Second))
	e.Err = &Locked{Until: until}
	return e
}

// wait is how long after its last failure a subject must wait.
func wait(count, tries int) time.Duration {
	if count < tries {
		return 0
	}
	if more := count - tries; more < 10 {
		return min(firstWait<<more, lastWait)
	}
	return lastWait
}

// failedLogin notes a failure and returns what the person is told. Only an account that exists has a row in the audit
// log: it is locked soon, while a stranger has endless names.
func (p *Policy) failedLogin(ctx context.Context, user Account, remote netip.Addr) error {
	now := p.now()
	for _, s := range subjects(user.Email, remote) {
		_, err := p.db.ExecContext(ctx, `INSERT INTO failures (subject, count, at) VALUES (?1, 1, ?2)
			ON CONFLICT (subject) DO UPDATE SET count = CASE WHEN at < ?3 THEN 1 ELSE count + 1 END, at = ?2`,
			s.name, now.UnixMicro(), now.Add(-forgetAfter).UnixMicro())
		if err != nil {
			return fmt.Errorf("note a failed log-in: %w", err)
		}
	}
	_, err := p.db.ExecContext(ctx, `DELETE FROM failures WHERE subject IN (SELECT subject FROM failures
		WHERE at < ?1 OR (SELECT count(*) FROM failures) > ?2 ORDER BY at LIMIT ?3)`,
		now.Add(-forgetAfter).UnixMicro(), maxSubjects, pruneSubjects)
	if err != nil {
		return fmt.Errorf("note a failed log-in: %w", err)
	}
	if user.ID != 0 {
		row := entry{At: now, Who: Principal{Kind: User, ID: user.ID, Name: user.Email, Role: user.Role}, Action: "login", Object: "session",
			Remote: remote}
		if err := p.audit.add(ctx, row, false); err != nil {
			return err
		}
	}
	return wrongPassword()
}

// forget takes the failures of an account away once its password was right. Those of the address stay: else somebody
// with an account of their own could try others for ever.
func (p *Policy) forget(ctx context.Context, email string) error {
	if _, err := p.db.ExecContext(ctx, `DELETE FROM failures WHERE subject = ?`, account(email)); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return nil
}

func wrongPassword() error {
	return event.Errorf(event.Unauthenticated, "the address or the password is wrong")
}

type subject struct {
	name  string
	tries int
}

// subjects are what failures are counted for: the account, and the address (IPv6: the /64 that one customer has).
func subjects(email string, remote netip.Addr) []subject {
	all := []subject{{account(email), accountTries}}
	if remote.IsValid() {
		bits := 32
		if remote.Is6() {
			bits = 64
		}
		prefix, err := remote.WithZone("").Prefix(bits)
		if err == nil {
			all = append(all, subject{"address:" + prefix.String(), addressTries})
		}
	}
	return all
}

func account(email string) string { return "account:" + email }
