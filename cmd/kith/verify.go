package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"kith/event"
	"kith/journal"
	"kith/serve"
)

type verifyCommand struct {
	What   string `arg:"" optional:"" enum:",journal,lake,dedupe,rebuild" default:"" help:"journal, lake, dedupe, or rebuild: make everything once more from the journal and compare. Without it: the first three."`
	Resync bool   `help:"With journal, while no server runs: rewrite damaged segments, with a stub for each event that is lost. The damaged files are kept beside them."`
}

// Help is shown by --help.
func (verifyCommand) Help() string {
	return `Example: kith verify --data data
kith verify journal reads the files themselves and works on a folder that does not open any more.`
}

// Run prints a line for each check; the command fails if one does.
func (v *verifyCommand) Run(ctx context.Context, t *target, o *output) error {
	if v.What == "journal" && t.Server == "" {
		return verifyJournal(t.Data, v.Resync, o)
	}
	if v.Resync {
		return event.Errorf(event.Usage, "--resync goes with kith verify journal on a folder of this machine")
	}
	return t.with(ctx, func(c *client) error {
		text, err := json.Marshal(map[string]string{"what": v.What})
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		if v.What == "" {
			text = []byte("{}")
		}
		resp, err := c.do(ctx, "POST", "/api/v1/verify", bytes.NewReader(text), "application/json")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return printChecks(o.out, json.NewDecoder(resp.Body))
	})
}

func printChecks(out io.Writer, lines *json.Decoder) error {
	bad := 0
	for {
		var line struct {
			serve.Check
			Error *struct {
				Code   event.Code `json:"code"`
				Detail string     `json:"detail"`
				Hint   string     `json:"hint"`
			} `json:"error"`
		}
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if e := line.Error; e != nil {
			return &event.Error{Code: e.Code, Message: e.Detail, Hint: e.Hint}
		}
		state := "ok     "
		if !line.OK {
			state, bad = "damaged", bad+1
		}
		took := time.Duration(line.Seconds * float64(time.Second)).Round(time.Millisecond)
		fmt.Fprintf(out, "%s  %-8s %s (%s)\n", state, line.Name, line.Detail, took)
		for _, p := range line.Problems {
			fmt.Fprintf(out, "         %s\n", p)
		}
	}
	if bad > 0 {
		return event.Errorf(event.Corrupt, "%d of the checks found damage", bad)
	}
	return nil
}

// verifyJournal reads the segments; it may run beside a server, and on a folder that is damaged. With resync it first
// repairs what is.
func verifyJournal(data string, resync bool, o *output) error {
	dir := filepath.Join(data, "journal")
	parts, err := journal.Partitions(dir)
	if err != nil {
		return err
	}
	damaged := false
	for _, part := range parts {
		if resync {
			repairs, err := journal.Resync(dir, part)
			if err != nil {
				return err
			}
			for _, r := range repairs {
				for _, lost := range r.Lost {
					fmt.Fprintf(o.out, "%s: events %d to %d are lost; the damaged file is kept as %s\n", r.Path, lost.From, lost.To, r.Kept)
				}
			}
		}
		report, err := journal.Verify(dir, part)
		if err != nil {
			return err
		}
		if err := report.Print(o.out); err != nil {
			return err
		}
		damaged = damaged || report.Damaged()
	}
	if damaged {
		return event.Errorf(event.Corrupt, "the journal is damaged")
	}
	return nil
}

type lakeCommand struct {
	Commit lakeCommit `cmd:"" help:"Move the hot tail into the Iceberg table now."`
}

type lakeCommit struct{}

// Run commits.
func (lakeCommit) Run(ctx context.Context, t *target) error {
	return t.with(ctx, func(c *client) error {
		return c.call(ctx, "POST", "/api/v1/lake/commit", struct{}{}, nil)
	})
}
