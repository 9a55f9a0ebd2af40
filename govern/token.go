package govern

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"kith/event"
)

// tokenPrefix begins every API token, so that a person, and a scanner of repositories, knows one when they see it.
const tokenPrefix = "kith_"

func isToken(bearer string) bool { return strings.HasPrefix(bearer, tokenPrefix) }

// APIToken is what is known of a token. The token itself is shown once, when it is made.
type APIToken struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Hint      string     `json:"hint" doc:"The token's first characters."`
	Role      string     `json:"role"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"The last use, to the hour."`
}

// tokenSet is the live tokens by digest, replaced as a whole at each change: a program may send every event with a token,
// so a decision must not read the database.
type tokenSet struct {
	byDigest map[[sha256.Size]byte]*liveToken // 200 bytes a token; there are tens
}

type liveToken struct {
	who     Principal
	expires int64 // microseconds; 0 is never
	used    atomic.Int64
	saved   atomic.Int64 // the use that is in the database
}

// CreateToken makes a token and returns it with its secret, which is not to be had again. A zero expires is never.
// Errors: event.Invalid for a name, role or time that cannot be.
func (p *Policy) CreateToken(ctx context.Context, by Principal, name, role string, expires time.Time) (APIToken, string, error) {
	now := p.now()
	if name = strings.TrimSpace(name); name == "" || len(name) > 100 {
		return APIToken{}, "", event.Errorf(event.Invalid, "a token needs a name of 1 to 100 characters").At("name", name)
	}
	if err := checkRole(role); err != nil {
		return APIToken{}, "", err
	}
	if !expires.IsZero() && !expires.After(now) {
		return APIToken{}, "", event.Errorf(event.Invalid, "the token would be over already").At("expires_at", expires.Format(time.RFC3339))
	}
	secret := tokenPrefix + Secret()
	digest := Digest(secret)
	t := APIToken{Name: name, Hint: secret[:len(tokenPrefix)+8], Role: role, CreatedAt: now, CreatedBy: by.Name}
	var until sql.NullInt64
	if !expires.IsZero() {
		t.ExpiresAt, until = &expires, sql.NullInt64{Int64: expires.UnixMicro(), Valid: true}
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	done, err := p.db.ExecContext(ctx, `INSERT INTO tokens (name, hash, hint, role, created_at, created_by, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.Name, digest[:], t.Hint, t.Role, now.UnixMicro(), t.CreatedBy, until)
	if err != nil {
		return APIToken{}, "", fmt.Errorf("create token: %w", err)
	}
	if t.ID, err = done.LastInsertId(); err != nil {
		return APIToken{}, "", fmt.Errorf("create token: %w", err)
	}
	return t, secret, p.loadTokens(ctx)
}

// Tokens lists the live tokens, newest first.
func (p *Policy) Tokens(ctx context.Context) ([]APIToken, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT id, name, hint, role, created_at, created_by, expires_at
		FROM tokens WHERE revoked_at IS NULL ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	all := []APIToken{}
	used := p.tokenUse()
	for rows.Next() {
		var t APIToken
		var created int64
		var expires sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Name, &t.Hint, &t.Role, &created, &t.CreatedBy, &expires); err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		t.CreatedAt = time.UnixMicro(created).UTC()
		t.ExpiresAt, t.UsedAt = timeOf(expires.Int64), timeOf(used(t.ID))
		all = append(all, t)
	}
	return all, rows.Err()
}

// tokenUse returns a look-up of when a token was last used, to the hour; 0 is never.
func (p *Policy) tokenUse() func(id int64) int64 {
	set := p.tokens.Load()
	return func(id int64) int64 {
		for _, t := range set.byDigest {
			if t.who.ID == id {
				return t.used.Load()
			}
		}
		return 0
	}
}

func timeOf(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}

// RevokeToken ends a token at once. Errors: event.NotFound for one that does not exist or is revoked.
func (p *Policy) RevokeToken(ctx context.Context, id int64) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	done, err := p.db.ExecContext(ctx, `UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`, p.now().UnixMicro(), id)
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return event.Errorf(event.NotFound, "there is no live token %d", id).WithHint("kith token list shows them")
	}
	return p.loadTokens(ctx)
}

// loadTokens puts the live tokens in memory. Tokens that were there keep their last use.
func (p *Policy) loadTokens(ctx context.Context) error {
	rows, err := p.db.QueryContext(ctx, `SELECT id, name, hash, role, expires_at, used_at FROM tokens WHERE revoked_at IS NULL`)
	if err != nil {
		return fmt.Errorf("load tokens: %w", err)
	}
	defer rows.Close()
	old, set := p.tokens.Load(), &tokenSet{byDigest: map[[sha256.Size]byte]*liveToken{}}
	for rows.Next() {
		t := &liveToken{who: Principal{Kind: Token}}
		var hash []byte
		var expires, used sql.NullInt64
		if err := rows.Scan(&t.who.ID, &t.who.Name, &hash, &t.who.Role, &expires, &used); err != nil {
			return fmt.Errorf("load tokens: %w", err)
		}
		t.expires = expires.Int64
		t.used.Store(used.Int64)
		t.saved.Store(used.Int64)
		digest := [sha256.Size]byte(hash)
		if old != nil && old.byDigest[digest] != nil {
			t = old.byDigest[digest]
		}
		set.byDigest[digest] = t
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("load tokens: %w", err)
	}
	p.tokens.Store(set)
	return nil
}

func (p *Policy) byToken(secret string) (Principal, error) {
	t := p.tokens.Load().byDigest[Digest(secret)]
	if t == nil {
		return Principal{}, event.Errorf(event.Unauthenticated, "this token is not known, or was revoked")
	}
	now := p.now()
	if t.expires != 0 && now.UnixMicro() >= t.expires {
		return Principal{}, event.Errorf(event.Unauthenticated, "this token was good until %s", time.UnixMicro(t.expires).UTC().Format(time.RFC3339)).
			WithHint("make another: kith token create")
	}
	if hour := now.Truncate(time.Hour).UnixMicro(); t.used.Swap(hour) != hour {
		p.audit.touch()
	}
	return t.who, nil
}

// saveTokenUse stores the tokens' last use along with a write of the audit log.
func (p *Policy) saveTokenUse(ctx context.Context, tx *sql.Tx) error {
	for _, t := range p.tokens.Load().byDigest {
		used := t.used.Load()
		if used == t.saved.Load() {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE tokens SET used_at = ? WHERE id = ?`, used, t.who.ID); err != nil {
			return err
		}
		t.saved.Store(used)
	}
	return nil
}
