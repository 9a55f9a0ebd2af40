package govern

import (
	"context"
	"crypto/subtle"
	"fmt"
	"sync"

	"kith/event"
)

// setupToken is the secret that lets the first person in. It lives in memory: every start without a user has another.
type setupToken struct {
	sync.Mutex
	secret string // empty: there is a user
}

// offerSetup makes the set-up token if there is no user.
func (p *Policy) offerSetup(ctx context.Context) error {
	var users int
	if err := p.db.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&users); err != nil {
		return fmt.Errorf("count users: %w", err)
	}
	if users == 0 {
		p.setup.secret = random(52) // 260 bits
	}
	return nil
}

// SetupToken returns the one-time token for Setup, and whether one is needed: there is no user yet.
func (p *Policy) SetupToken() (token string, needed bool) {
	p.setup.Lock()
	defer p.setup.Unlock()
	return p.setup.secret, p.setup.secret != ""
}

// Setup makes the first owner. Errors: event.Forbidden for a wrong token, event.Conflict once there is a user,
// event.Invalid for an address or password that cannot be; the token stays good then.
func (p *Policy) Setup(ctx context.Context, token, email, password string) (Account, error) {
	p.setup.Lock()
	defer p.setup.Unlock()
	switch {
	case p.setup.secret == "":
		return Account{}, errSetUp()
	case subtle.ConstantTimeCompare([]byte(token), []byte(p.setup.secret)) != 1:
		return Account{}, event.Errorf(event.Forbidden, "this set-up token is not the one of the running server").
			WithHint("the server's log has the link; each start makes another")
	}
	return p.first(ctx, email, password)
}

// EnsureAdmin makes the first owner unattended, from KITH_ADMIN_EMAIL and KITH_ADMIN_PASSWORD. Once there is a user it
// does nothing: the environment of a later start must not bring a removed administrator back.
func (p *Policy) EnsureAdmin(ctx context.Context, email, password string) (created bool, err error) {
	p.setup.Lock()
	defer p.setup.Unlock()
	if p.setup.secret == "" {
		return false, nil
	}
	if _, err := p.first(ctx, email, password); err != nil {
		return false, fmt.Errorf("first administrator: %w", err)
	}
	return true, nil
}

// first makes the first owner and takes the token away. The caller holds the token's lock.
func (p *Policy) first(ctx context.Context, email, password string) (Account, error) {
	user, err := p.createUser(ctx, email, password, Owner, true)
	if err != nil {
		return Account{}, err
	}
	p.setup.secret = ""
	row := entry{At: p.now(), Who: Principal{Kind: User, ID: user.ID, Name: user.Email, Role: Owner}, Action: ManageUsers,
		Object: "setup", Allowed: true}
	return user, p.audit.add(ctx, row, true)
}

func errSetUp() error {
	return event.Errorf(event.Conflict, "Kith is set up already: there is a user").WithHint("log in, or ask an owner")
}
