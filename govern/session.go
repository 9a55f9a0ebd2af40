package govern

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"kith/event"
)

// A session ends this long after its log-in, and this long after its last use. The use is noted to the hour.
const (
	sessionLife = 30 * 24 * time.Hour
	sessionIdle = 7 * 24 * time.Hour
	sessionNote = time.Hour
)

// Session is one log-in of one person in one browser.
type Session struct {
	Secret  string // 260 random bits; only its digest is stored
	User    Account
	Expires time.Time
}

// Login checks a password and begins a session. Errors: event.Unauthenticated for a wrong address or password, without
// saying which; event.TooMany, with Locked as its cause, for an account or an address with too many failures.
func (p *Policy) Login(ctx context.Context, email, password string, remote netip.Addr) (Session, error) {
	email, err := address(email)
	if err != nil {
		return Session{}, wrongPassword()
	}
	if len(password) > maxPassword {
		return Session{}, wrongPassword()
	}
	var user Account
	var failed error
	// The look at the failures, the try and the note of its failure are one turn, so that many tries at once do not
	// all pass the look.
	err = p.hashing(ctx, func() { user, failed = p.try(ctx, email, password, remote) })
	if err != nil {
		return Session{}, err
	}
	if failed != nil {
		return Session{}, failed
	}
	return p.begin(ctx, user, remote)
}

// try checks the password of an account whose turn it is.
func (p *Policy) try(ctx context.Context, email, password string, remote netip.Addr) (Account, error) {
	if err := p.locked(ctx, email, remote); err != nil {
		return Account{}, err
	}
	user := Account{Email: email}
	stored, created := p.decoy, int64(0)
	err := p.db.QueryRowContext(ctx, `SELECT id, role, password, created_at FROM users WHERE email = ?`, email).
		Scan(&user.ID, &user.Role, &stored, &created)
	if err != nil && err != sql.ErrNoRows {
		return Account{}, fmt.Errorf("log in: %w", err)
	}
	user.Created = time.UnixMicro(created).UTC()
	// An address without an account takes the same time, against the decoy.
	ok, made, err := verify(stored, password)
	if err != nil {
		return Account{}, fmt.Errorf("log in %s: %w", email, err)
	}
	if !ok || user.ID == 0 {
		return Account{}, p.failedLogin(ctx, user, remote)
	}
	if made != p.argon {
		if _, err := p.db.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ?`, p.argon.hash(password), user.ID); err != nil {
			return Account{}, fmt.Errorf("log in: %w", err)
		}
	}
	return user, p.forget(ctx, email)
}

// Begin starts a session for a user whose identity was proven in another way: the first administrator after Setup.
func (p *Policy) Begin(ctx context.Context, user Account) (Session, error) {
	return p.begin(ctx, user, netip.Addr{})
}

func (p *Policy) begin(ctx context.Context, user Account, remote netip.Addr) (Session, error) {
	now := p.now()
	s := Session{Secret: random(52), User: user, Expires: now.Add(sessionLife)}
	digest := Digest(s.Secret)
	row := entry{At: now, Who: Principal{Kind: User, ID: user.ID, Name: user.Email, Role: user.Role}, Action: "login", Object: "session",
		Allowed: true, Remote: remote}
	if err := p.audit.add(ctx, row, true); err != nil {
		return Session{}, err
	}
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return Session{}, fmt.Errorf("begin session: %w", err)
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at < ?1 OR used_at < ?2`, now.UnixMicro(), now.Add(-sessionIdle).UnixMicro())
	if err != nil {
		return Session{}, fmt.Errorf("begin session: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO sessions (hash, user_id, created_at, expires_at, used_at) VALUES (?1, ?2, ?3, ?4, ?3)`,
		digest[:], user.ID, now.UnixMicro(), s.Expires.UnixMicro())
	if err != nil {
		return Session{}, fmt.Errorf("begin session: %w", err)
	}
	return s, tx.Commit()
}

// Logout ends a session; one that does not exist is no error.
func (p *Policy) Logout(ctx context.Context, secret string) error {
	digest := Digest(secret)
	if _, err := p.db.ExecContext(ctx, `DELETE FROM sessions WHERE hash = ?`, digest[:]); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}

// EndSessions ends all sessions of a user.
func (p *Policy) EndSessions(ctx context.Context, user int64) error {
	if _, err := p.db.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, user); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// bySession reads the database, so a removed user or another role counts at once.
func (p *Policy) bySession(ctx context.Context, secret string) (Principal, error) {
	digest := Digest(secret)
	who := Principal{Kind: User}
	var expires, used int64
	err := p.db.QueryRowContext(ctx, `SELECT u.id, u.email, u.role, s.expires_at, s.used_at
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = ?`, digest[:]).
		Scan(&who.ID, &who.Name, &who.Role, &expires, &used)
	now := p.now()
	over := now.UnixMicro() >= expires || now.Sub(time.UnixMicro(used)) >= sessionIdle
	switch {
	case err == sql.ErrNoRows || err == nil && over:
		return Principal{}, event.Errorf(event.Unauthenticated, "this session is over").WithHint("log in again")
	case ctx.Err() != nil:
		return Principal{}, ctx.Err()
	case err != nil:
		return Principal{}, &event.Error{Code: event.Unavailable, Message: "the sessions cannot be read, so nothing is allowed now", Err: err}
	}
	if now.Sub(time.UnixMicro(used)) >= sessionNote {
		if _, err := p.db.ExecContext(ctx, `UPDATE sessions SET used_at = ? WHERE hash = ?`, now.UnixMicro(), digest[:]); err != nil {
			return Principal{}, &event.Error{Code: event.Unavailable, Message: "the sessions cannot be written, so nothing is allowed now", Err: err}
		}
	}
	return who, nil
}
