package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// formatFlag is how a list is printed.
type formatFlag struct {
	Format string `default:"table" enum:"table,json,csv" help:"table, json or csv."`
}

// table is rows of text under headings, printed as columns that fit, as JSON objects or as CSV.
type table struct {
	names   []string
	numbers []bool // right-aligned
	rows    [][]string
}

func newTable(names ...string) *table {
	return &table{names: names, numbers: make([]bool, len(names))}
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer, format string) error {
	switch format {
	case "csv":
		out := csv.NewWriter(w)
		if err := out.Write(t.names); err != nil {
			return err
		}
		if err := out.WriteAll(t.rows); err != nil {
			return err
		}
		return out.Error()
	case "json":
		all := make([]map[string]string, 0, len(t.rows))
		for _, row := range t.rows {
			object := map[string]string{}
			for i, name := range t.names {
				object[name] = row[i]
			}
			all = append(all, object)
		}
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(all)
	}
	return t.columns(w)
}

func (t *table) columns(w io.Writer) error {
	widths := make([]int, len(t.names))
	for _, row := range append([][]string{t.names}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var text strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.numbers[i] {
				text.WriteString(pad + cell + "  ")
			} else {
				text.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	line(t.names)
	rules := make([]string, len(widths))
	for i, width := range widths {
		rules[i] = strings.Repeat("─", width)
	}
	line(rules)
	for _, row := range t.rows {
		line(row)
	}
	_, err := io.WriteString(w, b.String())
	if err == nil && len(t.rows) == 0 {
		_, err = fmt.Fprintln(w, "(none)")
	}
	return err
}
