// Package govern decides who may do what. Every door asks Policy.Decide before it answers; what the policy cannot
// decide is refused. It owns the users, their sessions, the API tokens and the audit log, all in control.db, and
// looks up write keys through the interface Keys.
//
// # What is written down
//
// The audit log holds each decision about a person or a token on an action that reads data or changes anything, the
// allowed and the refused, and what a door adds by Policy.Record (the text of a query). A decision on a change
// (configuration, users, operation) waits until its row is durable; one on a read does not wait, so a power cut may
// lose the rows of the last few milliseconds. When the log cannot be written, nothing that belongs in it is allowed
// (event.Unavailable) until it can. Events taken in by write key, and looks at the counts (ReadStatus), are counted by
// Policy.Decisions and have no rows, and so are credentials nobody knows: a stranger must not be able to fill a disk.
package govern

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"kith/event"
	"kith/internal/sqlite"
)

// The kinds of a Principal.
const (
	User   = "user"   // a person with a session
	Token  = "token"  // a program with an API token
	Source = "source" // a sender of events with a write key
	Local  = "local"  // who opened the data folder on this machine
)

// Principal is who asks, once it is known.
type Principal struct {
	Kind       string // user, token, source, local
	ID         int64  // of the user, token or source; 0 for local
	Name       string // an e-mail address, a token's or a source's name, the name of the user of the machine
	Role       string
	Source     event.SourceID // of a source, else 0
	SourceName string
	KeyID      string // which of the source's write keys; not secret
}

// Keys knows the write keys. ByKey is asked for every request of every door, so it must answer from memory.
type Keys interface {
	ByKey(secret string) (Principal, bool)
}

// Options are what a Policy needs. DB is required.
type Options struct {
	DB       *sql.DB // control.db
	Keys     Keys    // nil knows no write key
	Now      func() time.Time
	Log      *slog.Logger
	Password Argon2 // how new passwords are hashed; zero is DefaultArgon2
}

// Policy decides. It is safe for many goroutines.
type Policy struct {
	db    *sql.DB
	keys  Keys
	now   func() time.Time
	log   *slog.Logger
	argon Argon2
	decoy string        // a password hash that belongs to nobody
	hash  chan struct{} // holds as many as may hash passwords at once

	tokens  atomic.Pointer[tokenSet]
	setup   setupToken
	audit   *auditor
	counts  [len(actions)]decisions
	strange atomic.Int64 // credentials nobody knows

	changing sync.Mutex // one change of the tokens at a time, so that the set in memory is the last one stored
}

type decisions struct{ allowed, refused atomic.Int64 }

// Open brings the tables up to date, loads the tokens and starts the audit log's writer. Close ends it.
func Open(ctx context.Context, o Options) (*Policy, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Password == (Argon2{}) {
		o.Password = DefaultArgon2()
	}
	if err := sqlite.Migrate(ctx, o.DB, "govern", schema()); err != nil {
		return nil, err
	}
	p := &Policy{db: o.DB, keys: o.Keys, now: o.Now, log: o.Log, argon: o.Password,
		decoy: o.Password.decoy(), hash: make(chan struct{}, 2)}
	if err := p.loadTokens(ctx); err != nil {
		return nil, err
	}
	if err := p.offerSetup(ctx); err != nil {
		return nil, err
	}
	p.audit = newAuditor(o.DB, o.Log, p.saveTokenUse)
	return p, nil
}

// Close writes what is left of the audit log and stops its writer. The database stays open.
func (p *Policy) Close() error {
	if err := p.audit.close(); err != nil {
		return fmt.Errorf("close the audit log: %w", err)
	}
	return nil
}

// Decide returns who shows the credential, if they may do the action. Errors: event.Unauthenticated for a credential
// that is missing, unknown, revoked or over; event.Forbidden for a known one without the right, and for a session
// used from another site; event.Unavailable when the database or the audit log cannot be used.
//
// For a write key it costs one look-up in memory.
func (p *Policy) Decide(ctx context.Context, c Credential, a Action) (Principal, error) {
	index, known := a.index()
	if !known {
		return Principal{}, event.Errorf(event.Internal, "there is no action %q", a)
	}
	who, err := p.identify(ctx, c)
	if err != nil {
		if event.CodeOf(err) == event.Unauthenticated {
			p.strange.Add(1)
		}
		return Principal{}, err
	}
	allowed := may(who.Role, a)
	if allowed {
		p.counts[index].allowed.Add(1)
	} else {
		p.counts[index].refused.Add(1)
	}
	if who.Kind != Source && (!allowed || actions[index].audited) {
		row := entry{At: p.now(), Who: who, Action: a, Object: objectOf(ctx), Allowed: allowed, Remote: c.Remote}
		if err := p.audit.add(ctx, row, actions[index].changes); err != nil {
			return Principal{}, err
		}
	}
	if !allowed {
		return Principal{}, event.Errorf(event.Forbidden, "%s may not %s: the role %s does not have the right %s",
			who.Name, actions[index].help, who.Role, a)
	}
	return who, nil
}

// identify finds who the credential belongs to. A write key is looked at first: it is the frequent one.
func (p *Policy) identify(ctx context.Context, c Credential) (Principal, error) {
	switch {
	case c.WriteKey != "":
		return p.byWriteKey(c.WriteKey)
	case isToken(c.Bearer):
		return p.byToken(c.Bearer)
	case c.Bearer != "":
		return p.byWriteKey(c.Bearer)
	case c.forged:
		return Principal{}, event.Errorf(event.Forbidden, "a session can change things only from Kith's own pages").
			WithHint("send Origin or Sec-Fetch-Site of the same site, or use an API token")
	case c.Session != "":
		return p.bySession(ctx, c.Session)
	case c.local != "":
		return Principal{Kind: Local, Name: c.local, Role: Owner}, nil
	}
	return Principal{}, event.Errorf(event.Unauthenticated, "no credential was sent").
		WithHint("send Authorization: Bearer with an API token, a write key, or a session cookie")
}

func (p *Policy) byWriteKey(key string) (Principal, error) {
	if p.keys != nil {
		if who, known := p.keys.ByKey(key); known {
			return who, nil
		}
	}
	return Principal{}, event.Errorf(event.Unauthenticated, "this write key is not known, or was revoked").
		WithHint("kith source list shows the sources and which of their keys are live")
}

// Decision is how often an action was allowed and refused since the start.
type Decision struct {
	Action           Action
	Allowed, Refused int64
}

// Decisions returns the counts of all actions, and how often a credential was not known.
func (p *Policy) Decisions() (counts []Decision, unknown int64) {
	for i, a := range actions {
		counts = append(counts, Decision{a.action, p.counts[i].allowed.Load(), p.counts[i].refused.Load()})
	}
	return counts, p.strange.Load()
}
