package query

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kith/event"
	"kith/internal/duck"
)

// prepare makes the views that p reads and the list of files behind them. What must be written down for them lies in
// folder, which the session clears.
func prepare(p plan, t *Tables, folder func() (string, error)) (views []duck.View, paths []string, err error) {
	for _, name := range p.uses {
		v := duck.View{}
		v.Schema, v.Name, _ = strings.Cut(name, ".")
		var files []string
		switch name {
		case "clean.events":
			files = t.Events
			v.SQL, err = eventsView(t.Columns, files, t.Through)
		case "clean.quarantine":
			files, err = writeQuarantine(t.Quarantine, folder)
			v.SQL = quarantineView(files, t.Through)
		case "raw.events":
			files, err = durableSegments(t.Segments, folder)
			v.SQL = rawView(files, t.Through)
		default:
			err = fmt.Errorf("there is no view for %s", name)
		}
		if err != nil {
			return nil, nil, err
		}
		views, paths = append(views, v), append(paths, files...)
	}
	return views, paths, nil
}

// through is the condition that leaves later rows out.
func through(seq event.Seq) string {
	if seq == 0 {
		return ""
	}
	return fmt.Sprintf(" WHERE seq <= %d", seq)
}

// eventsView reads Parquet files by field id, so that a column that was renamed, widened or added later is right in
// files of any age.
func eventsView(columns []Column, files []string, seq event.Seq) (string, error) {
	entries, empty := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		sql, err := sqlType(c.Type)
		if err != nil {
			return "", fmt.Errorf("column %s of clean.events: %w", c.Name, err)
		}
		entries[i] = fmt.Sprintf("%d: {name: %s, type: %s, default_value: NULL}", c.ID, quote(c.Name), quote(sql))
		empty[i] = fmt.Sprintf("NULL::%s AS %s", sql, identifier(c.Name))
	}
	if len(files) == 0 {
		return "SELECT " + strings.Join(empty, ", ") + " WHERE false", nil
	}
	return "SELECT * FROM read_parquet(" + quoteList(files) + ", schema = MAP {" + strings.Join(entries, ", ") + "})" + through(seq), nil
}

func sqlType(iceberg string) (string, error) {
	switch iceberg {
	case "long":
		return "BIGINT", nil
	case "int":
		return "INTEGER", nil
	case "string":
		return "VARCHAR", nil
	case "double":
		return "DOUBLE", nil
	case "float":
		return "FLOAT", nil
	case "boolean":
		return "BOOLEAN", nil
	case "timestamptz":
		return "TIMESTAMPTZ", nil
	case "timestamp":
		return "TIMESTAMP", nil
	case "date":
		return "DATE", nil
	}
	if strings.HasPrefix(iceberg, "decimal(") && strings.HasSuffix(iceberg, ")") {
		return strings.ToUpper(iceberg), nil
	}
	return "", fmt.Errorf("no SQL type for %q", iceberg)
}

// maxLine is the longest line of a segment that can be read. Doors take far less.
const maxLine = 16 << 20

// rawView reads segments as they are: zstd, a JSON object a line. The members that the journal numbered and the door
// wrote are columns. event and batch are JSON of the same meaning as the bytes that came; white space is not kept.
func rawView(files []string, seq event.Seq) string {
	const columns = "seq, make_timestamptz(received_at) AS received_at, source, source_id, door, key, ip, ua, sent_at, " +
		"make_timestamptz(claimed_at) AS claimed_at, batch, event, bytes, control"
	const types = "{seq: 'BIGINT', received_at: 'BIGINT', source: 'VARCHAR', source_id: 'INTEGER', door: 'VARCHAR', " +
		"key: 'VARCHAR', ip: 'VARCHAR', ua: 'VARCHAR', sent_at: 'VARCHAR', claimed_at: 'BIGINT', batch: 'JSON', " +
		"event: 'JSON', bytes: 'VARCHAR', control: 'JSON'}"
	if len(files) == 0 {
		return "SELECT NULL::BIGINT AS seq, NULL::TIMESTAMPTZ AS received_at, NULL::VARCHAR AS source, NULL::INTEGER AS source_id, " +
			"NULL::VARCHAR AS door, NULL::VARCHAR AS key, NULL::VARCHAR AS ip, NULL::VARCHAR AS ua, NULL::VARCHAR AS sent_at, " +
			"NULL::TIMESTAMPTZ AS claimed_at, NULL::JSON AS batch, NULL::JSON AS event, NULL::VARCHAR AS bytes, NULL::JSON AS control WHERE false"
	}
	return fmt.Sprintf("SELECT %s FROM read_json(%s, format = 'newline_delimited', compression = 'zstd', columns = %s, "+
		"maximum_object_size = %d)%s", columns, quoteList(files), types, maxLine, through(seq))
}

// durableSegments replaces a segment that is still written by a copy of its durable part: behind it, the file may
// end in the middle of a frame.
func durableSegments(segments []Segment, folder func() (string, error)) ([]string, error) {
	var files []string
	for i, s := range segments {
		if s.Bytes == 0 {
			files = append(files, s.Path)
			continue
		}
		dir, err := folder()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, fmt.Sprintf("open-segment-%d.jsonl.zst", i))
		if err := copyPart(path, s.Path, s.Bytes); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

func copyPart(to, from string, size int64) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("read the open segment: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the open segment: %w", err)
	}
	if _, err := io.CopyN(dst, src, size); err != nil {
		dst.Close()
		return fmt.Errorf("copy the open segment: %w", err)
	}
	if err := dst.Close(); err != nil {
		return fmt.Errorf("copy the open segment: %w", err)
	}
	return nil
}

// refusalLine is a row of clean.quarantine as it is written down for DuckDB.
type refusalLine struct {
	Seq        event.Seq `json:"seq"`
	ReceivedAt int64     `json:"received_at"`
	Source     string    `json:"source"`
	Reason     string    `json:"reason"`
	Place      string    `json:"place"`
	Message    string    `json:"message"`
}

func writeQuarantine(rows func(func(Refusal) error) error, folder func() (string, error)) ([]string, error) {
	if rows == nil {
		return nil, nil
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "quarantine.jsonl")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the quarantine down: %w", err)
	}
	defer file.Close()
	buffer := bufio.NewWriter(file)
	encoder, count := json.NewEncoder(buffer), 0
	err = rows(func(r Refusal) error {
		count++
		return encoder.Encode(refusalLine(r))
	})
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("write the quarantine down: %w", err)
	}
	if count == 0 {
		return nil, nil
	}
	return []string{path}, nil
}

func quarantineView(files []string, seq event.Seq) string {
	if len(files) == 0 {
		return "SELECT NULL::BIGINT AS seq, NULL::TIMESTAMPTZ AS received_at, NULL::VARCHAR AS source, NULL::VARCHAR AS reason, " +
			"NULL::VARCHAR AS place, NULL::VARCHAR AS message WHERE false"
	}
	return "SELECT seq, make_timestamptz(received_at) AS received_at, source, reason, place, message FROM read_json(" +
		quoteList(files) + ", format = 'newline_delimited', columns = {seq: 'BIGINT', received_at: 'BIGINT', source: 'VARCHAR', " +
		"reason: 'VARCHAR', place: 'VARCHAR', message: 'VARCHAR'})" + through(seq)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
