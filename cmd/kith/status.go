package main

import (
	"context"
	"fmt"
	"strings"

	"kith/serve"
)

type statusCommand struct {
	formatFlag
}

// Run prints the counts.
func (s *statusCommand) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var st serve.Status
		if err := c.call(ctx, "GET", "/api/v1/status", nil, &st); err != nil {
			return err
		}
		rows := newTable("what", "value")
		for _, line := range []struct {
			what  string
			value any
		}{
			{"received", st.Received}, {"rows in clean.events", st.Rows}, {"quarantined", st.Quarantined}, {"duplicates since the start", st.Duplicates},
			{"not visible yet", st.Lag}, {"view", st.View}, {"journal segments", st.Segments}, {"journal bytes", st.Bytes}, {"hot files", st.HotFiles},
			{"wrong now", strings.Join(st.Notes, "; ")},
		} {
			rows.add(line.what, fmt.Sprint(line.value))
		}
		return rows.print(o.out, s.Format)
	})
}

type quarantineCommand struct {
	List quarantineList `cmd:"" help:"List what was refused after it was stored, oldest first."`
}

type quarantineList struct {
	formatFlag
	After int64 `placeholder:"SEQ" help:"Go on after this seq."`
	Limit int   `default:"100" help:"At most so many."`
}

// Run lists one page.
func (q *quarantineList) Run(ctx context.Context, t *target, o *output) error {
	return t.with(ctx, func(c *client) error {
		var page struct {
			Events []serve.Refused `json:"events"`
			Next   int64           `json:"next"`
		}
		if err := c.call(ctx, "GET", fmt.Sprintf("/api/v1/quarantine?after=%d&limit=%d", q.After, q.Limit), nil, &page); err != nil {
			return err
		}
		rows := newTable("seq", "received", "source", "reason", "place", "message")
		for _, r := range page.Events {
			rows.add(fmt.Sprint(r.Seq), r.ReceivedAt.UTC().Format("2006-01-02 15:04:05"), r.Source, r.Reason, r.Place, r.Message)
		}
		if err := rows.print(o.out, q.Format); err != nil {
			return err
		}
		if page.Next > 0 {
			fmt.Fprintf(o.err, "there are more: --after %d\n", page.Next)
		}
		return nil
	})
}
