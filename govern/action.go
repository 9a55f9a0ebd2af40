package govern

import (
	"slices"
	"strings"

	"kith/event"
)

// Action is what a principal wants to do.
type Action string

// The actions. No route can be registered without one.
const (
	IngestEvents   Action = "events:ingest"
	BackfillEvents Action = "events:backfill"
	ReadSQL        Action = "data:read"
	ReadStatus     Action = "status:read"
	ReadConfig     Action = "config:read"
	WriteConfig    Action = "config:write"
	ManageUsers    Action = "users:manage"
	Operate        Action = "system:operate"
)

// The roles. A write key's is SourceRole, which no user or token can have.
const (
	Owner      = "owner"
	Analyst    = "analyst"
	Viewer     = "viewer"
	Service    = "service"
	Ingest     = "ingest"
	SourceRole = "source"
)

// actions says of each action what it is in words and who may do it. This table is the whole of the roles:
//
//	owner    everything
//	analyst  reads the data, the definitions and the counts
//	viewer   reads the counts
//	service  a program that runs Kith from outside: all but users and tokens
//	ingest   a program that sends events, history too
//	source   a write key: sends events
//
// It is an array and not a map so that a decision indexes it.
var actions = [...]struct {
	action  Action
	help    string
	roles   []string // beside owner
	audited bool     // an allowed decision has a row too; a refused one always has
	changes bool     // the row is durable before the decision is given
}{
	{IngestEvents, "send events", []string{Service, Ingest, SourceRole}, false, false},
	{BackfillEvents, "send events with the time they were received", []string{Service, Ingest}, false, false},
	{ReadSQL, "read the data", []string{Analyst, Service}, true, false},
	{ReadStatus, "see the counts", []string{Analyst, Viewer, Service}, false, false},
	{ReadConfig, "see the definitions", []string{Analyst, Service}, true, false},
	{WriteConfig, "change the definitions", []string{Service}, true, true},
	{ManageUsers, "manage users and tokens", nil, true, true},
	{Operate, "operate the system", []string{Service}, true, true},
}

func (a Action) index() (int, bool) {
	for i := range actions {
		if actions[i].action == a {
			return i, true
		}
	}
	return 0, false
}

// may reports whether the role has the right.
func may(role string, a Action) bool {
	i, known := a.index()
	if !known {
		return false
	}
	return role == Owner || slices.Contains(actions[i].roles, role)
}

// Roles returns the roles that a user or a token can have.
func Roles() []string { return []string{Owner, Analyst, Viewer, Service, Ingest} }

// Rights returns what a role may do; none for a role that does not exist.
func Rights(role string) (all []Action) {
	for _, a := range actions {
		if may(role, a.action) {
			all = append(all, a.action)
		}
	}
	return all
}

func checkRole(role string) error {
	if slices.Contains(Roles(), role) {
		return nil
	}
	return event.Errorf(event.Invalid, "there is no such role").At("role", role).
		WithHint("the roles are %s", strings.Join(Roles(), ", "))
}
