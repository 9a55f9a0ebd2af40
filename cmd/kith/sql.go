package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"kith/event"
)

type sqlCommand struct {
	Query    string        `arg:"" optional:"" help:"One SELECT statement; read from standard input if it is not given."`
	Format   string        `default:"table" enum:"table,json,ndjson,csv,arrow,parquet" help:"table, json, ndjson, csv, arrow or parquet."`
	Out      string        `short:"o" placeholder:"FILE" help:"Write the answer to a file."`
	AsOfSeq  int64         `placeholder:"N" help:"As it was when event N had arrived."`
	Snapshot int64         `placeholder:"ID" name:"as-of-snapshot" help:"As it was in this Iceberg snapshot."`
	AfterSeq int64         `placeholder:"N" help:"Wait until event N can be seen."`
	Timeout  time.Duration `help:"At most the server's own limit."`
}

// Help is shown by --help.
func (sqlCommand) Help() string {
	return `Example: kith sql "SELECT event, count(*) FROM clean.events GROUP BY event"
Tables: clean.events, clean.quarantine, raw.events; DESCRIBE clean.events shows columns.`
}

// Run asks and prints.
func (s *sqlCommand) Run(ctx context.Context, t *target, o *output) error {
	query := s.Query
	if query == "" {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		query = string(text)
	}
	if strings.TrimSpace(query) == "" {
		return event.Errorf(event.Usage, "there is no question").WithHint(`such as kith sql "SELECT count(*) FROM clean.events"`)
	}
	return t.with(ctx, func(c *client) error {
		resp, err := s.ask(ctx, c, query)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if s.Out == "" {
			return s.write(o.out, o.err, resp)
		}
		file, err := os.Create(s.Out)
		if err != nil {
			return fmt.Errorf("make %s: %w", s.Out, err)
		}
		err = s.write(file, o.err, resp)
		return errors.Join(err, file.Close())
	})
}

func (s *sqlCommand) write(out, note io.Writer, resp *http.Response) error {
	if s.Format == "table" {
		return printAnswer(out, note, resp)
	}
	_, err := io.Copy(out, resp.Body)
	return answerError(resp, err)
}

func (s *sqlCommand) ask(ctx context.Context, c *client, query string) (*http.Response, error) {
	in := map[string]any{"query": query, "format": s.Format}
	if s.Format == "table" {
		in["format"] = "json"
	}
	for name, value := range map[string]int64{"as_of_seq": s.AsOfSeq, "as_of_snapshot": s.Snapshot, "after_seq": s.AfterSeq} {
		if value != 0 {
			in[name] = value
		}
	}
	if s.Timeout > 0 {
		in["timeout"] = s.Timeout.String()
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode the question: %w", err)
	}
	return c.do(ctx, "POST", "/api/v1/sql", bytes.NewReader(body), "application/json")
}

// answerError is why the answer broke off, if it did.
func answerError(resp *http.Response, err error) error {
	if text := resp.Trailer.Get("Kith-Error"); text != "" {
		var p struct {
			Code   event.Code `json:"code"`
			Detail string     `json:"detail"`
			Hint   string     `json:"hint"`
		}
		if json.Unmarshal([]byte(text), &p) == nil {
			return &event.Error{Code: p.Code, Message: p.Detail, Hint: p.Hint}
		}
	}
	if err != nil {
		return &event.Error{Code: event.Unavailable, Message: "the answer broke off before its end", Hint: "the server's log says why", Err: err}
	}
	return nil
}

// printAnswer draws the rows as a table; the view goes to standard error, so that the table can be piped.
func printAnswer(out, note io.Writer, resp *http.Response) error {
	var answer struct {
		Columns []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"columns"`
		Rows [][]json.RawMessage `json:"rows"`
	}
	err := json.NewDecoder(resp.Body).Decode(&answer)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body) // the trailer comes after the end
	}
	if err := answerError(resp, err); err != nil {
		return err
	}
	t := &table{}
	for _, c := range answer.Columns {
		t.names = append(t.names, c.Name)
		t.numbers = append(t.numbers, isNumeric(c.Type))
	}
	for _, row := range answer.Rows {
		cells := make([]string, len(row))
		for i, value := range row {
			cells[i] = cellText(value)
		}
		t.add(cells...)
	}
	if err := t.columns(out); err != nil {
		return err
	}
	view := resp.Header.Get("Kith-View")
	if view == "" {
		return nil
	}
	_, err = fmt.Fprintf(note, "%d rows as of %s\n", len(t.rows), view)
	return err
}

func isNumeric(kind string) bool {
	for _, prefix := range []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL"} {
		if strings.HasPrefix(strings.ToUpper(kind), prefix) {
			return true
		}
	}
	return false
}

func cellText(value json.RawMessage) string {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return strings.NewReplacer("\n", "⏎", "\r", "", "\t", " ").Replace(text)
	}
	if string(value) == "null" {
		return "∅"
	}
	return string(value)
}
