package serve

import (
	"context"
	"time"

	"kith/event"
	"kith/govern"
)

// State is what the pipeline tells of itself.
type State interface {
	Status(ctx context.Context) (Status, error)
	// Quarantine returns at most limit refused events with a seq of at least from, in order.
	Quarantine(ctx context.Context, from event.Seq, limit int) ([]Refused, error)
	// Rejected returns the bodies turned away last that were no JSON, newest first.
	Rejected() []Rejected
}

// Status is the counts of the whole journey.
type Status struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started_at"`
	Received    int64     `json:"received" doc:"Events the journal holds."`
	Rows        int64     `json:"rows" doc:"Rows of clean.events."`
	Quarantined int64     `json:"quarantined"`
	Duplicates  int64     `json:"duplicates" doc:"Events that came again and were left out."`
	Lag         int64     `json:"lag" doc:"Events received that are not in clean.events or quarantine yet."`
	View        string    `json:"view" doc:"What a query sees now: snapshot@seq."`
	Snapshot    int64     `json:"snapshot"`
	Next        event.Seq `json:"next" doc:"The first seq that a query does not see yet."`
	Segments    int64     `json:"segments" doc:"Files of the journal."`
	Bytes       int64     `json:"journal_bytes"`
	HotFiles    int       `json:"hot_files"`
	Notes       []string  `json:"notes,omitempty" doc:"What is wrong now, and since when."`
}

// Refused is one event in quarantine.
type Refused struct {
	Seq        event.Seq `json:"seq"`
	ReceivedAt time.Time `json:"received_at"`
	Source     string    `json:"source"`
	Reason     string    `json:"reason" doc:"A stable word, for grouping."`
	Place      string    `json:"place,omitempty" doc:"The field."`
	Message    string    `json:"message"`
}

// Rejected is one body that was turned away.
type Rejected struct {
	At      time.Time `json:"at"`
	Door    string    `json:"door"`
	Source  string    `json:"source,omitempty"`
	Address string    `json:"address,omitempty"`
	Reason  string    `json:"reason"`
	Size    int       `json:"size" doc:"Of the whole body, in bytes."`
	Body    []byte    `json:"body" doc:"Its first 64 kB, in base64."`
}

type (
	quarantineAsked struct {
		After int64 `query:"after" minimum:"0" doc:"The seq to go on after: next of the page before."`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	quarantinePage struct {
		Events []Refused `json:"events"`
		Next   event.Seq `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last."`
	}
	rejectedList struct {
		Rejected []Rejected `json:"rejected"`
	}
)

// stating are the routes of the counts, and of what was refused. Refused events are people's data, so they ask for the
// right to read it.
func (a *API) stating() {
	route(a, endpoint{id: "status", method: "GET", path: "/status", action: govern.ReadStatus, summary: "Counts of the whole journey."},
		func(ctx context.Context, _ visit, _ *struct{}) (Status, error) { return a.o.State.Status(ctx) })
	route(a, endpoint{id: "list-quarantine", method: "GET", path: "/quarantine", action: govern.ReadSQL,
		summary: "Lists the events that were refused after they were stored, oldest first."},
		func(ctx context.Context, _ visit, in *quarantineAsked) (quarantinePage, error) {
			all, err := a.o.State.Quarantine(ctx, event.Seq(in.After)+1, in.Limit+1)
			page := quarantinePage{Events: all}
			if all == nil {
				page.Events = []Refused{}
			}
			if err == nil && len(all) > in.Limit {
				page.Events = all[:in.Limit]
				page.Next = page.Events[in.Limit-1].Seq
			}
			return page, err
		})
	route(a, endpoint{id: "list-rejected", method: "GET", path: "/rejected", action: govern.ReadSQL,
		summary: "Lists the last bodies that were turned away because they were no JSON, newest first."},
		func(context.Context, visit, *struct{}) (rejectedList, error) {
			all := a.o.State.Rejected()
			if all == nil {
				all = []Rejected{}
			}
			return rejectedList{all}, nil
		})
}
