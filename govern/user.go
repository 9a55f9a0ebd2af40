package govern

import (
	"context"
	"database/sql"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"kith/event"
	"kith/internal/sqlite"
)

// Account is a person who can log in.
type Account struct {
	ID      int64     `json:"id"`
	Email   string    `json:"email"`
	Role    string    `json:"role"`
	Created time.Time `json:"created_at"`
}

// CreateUser adds a user. Errors: event.Invalid for an address, password or role that cannot be; event.Conflict if
// there is one with this address.
func (p *Policy) CreateUser(ctx context.Context, email, password, role string) (Account, error) {
	return p.createUser(ctx, email, password, role, false)
}

// createUser adds a user; first asks that there be none yet, which is decided in the same transaction.
func (p *Policy) createUser(ctx context.Context, email, password, role string, first bool) (Account, error) {
	email, err := address(email)
	if err != nil {
		return Account{}, err
	}
	if err := checkPassword(password); err != nil {
		return Account{}, err
	}
	if err := checkRole(role); err != nil {
		return Account{}, err
	}
	var hash string
	if err := p.hashing(ctx, func() { hash = p.argon.hash(password) }); err != nil {
		return Account{}, err
	}
	now := p.now()
	done, err := p.db.ExecContext(ctx, `INSERT INTO users (email, password, role, created_at)
		SELECT ?, ?, ?, ? WHERE NOT ? OR NOT EXISTS (SELECT 1 FROM users)`, email, hash, role, now.UnixMicro(), first)
	if sqlite.IsUnique(err) {
		return Account{}, event.Errorf(event.Conflict, "there is a user with this address").At("email", email)
	}
	if err != nil {
		return Account{}, fmt.Errorf("create user: %w", err)
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return Account{}, errSetUp()
	}
	id, err := done.LastInsertId()
	if err != nil {
		return Account{}, fmt.Errorf("create user: %w", err)
	}
	return Account{ID: id, Email: email, Role: role, Created: now}, nil
}

// Users lists the users by address.
func (p *Policy) Users(ctx context.Context) ([]Account, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT id, email, role, created_at FROM users ORDER BY email`)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer rows.Close()
	all := []Account{}
	for rows.Next() {
		var a Account
		var created int64
		if err := rows.Scan(&a.ID, &a.Email, &a.Role, &created); err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		a.Created = time.UnixMicro(created).UTC()
		all = append(all, a)
	}
	return all, rows.Err()
}

// DeleteUser removes a user and ends their sessions. The last owner cannot be removed: nobody could let anyone in.
func (p *Policy) DeleteUser(ctx context.Context, id int64) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	defer tx.Rollback()
	var role string
	var owners int
	err = tx.QueryRowContext(ctx, `SELECT role, (SELECT count(*) FROM users WHERE role = ?) FROM users WHERE id = ?`, Owner, id).
		Scan(&role, &owners)
	switch {
	case err == sql.ErrNoRows:
		return event.Errorf(event.NotFound, "there is no user %d", id)
	case err != nil:
		return fmt.Errorf("delete user: %w", err)
	case role == Owner && owners == 1:
		return event.Errorf(event.Conflict, "this is the last owner").WithHint("make another user an owner first")
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = ?`, id); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return tx.Commit()
}

// SetPassword gives a user another password, ends all their sessions and forgets their failed log-ins.
func (p *Policy) SetPassword(ctx context.Context, id int64, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	var hash string
	if err := p.hashing(ctx, func() { hash = p.argon.hash(password) }); err != nil {
		return err
	}
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	defer tx.Rollback()
	var email string
	err = tx.QueryRowContext(ctx, `UPDATE users SET password = ? WHERE id = ? RETURNING email`, hash, id).Scan(&email)
	if err == sql.ErrNoRows {
		return event.Errorf(event.NotFound, "there is no user %d", id)
	}
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, id); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM failures WHERE subject = ?`, account(email)); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return tx.Commit()
}

// address returns an e-mail address as it is stored and compared: bare and in lower case.
func address(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > 254 {
		return "", event.Errorf(event.Invalid, "this is no e-mail address").At("email", email)
	}
	return email, nil
}
