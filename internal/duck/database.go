package duck

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"kith/event"
)

// database is one DuckDB in memory with one connection. It lives for one query: what may be read is fixed when it
// is locked, and nothing that a query leaves behind is there for the next.
type database struct {
	db   duckdb.Database
	conn duckdb.Connection
}

// openDatabase opens DuckDB with the schemas of the lake, still unlocked.
func openDatabase(config childConfig) (*database, error) {
	d := &database{}
	var message string
	var settings duckdb.Config
	if duckdb.CreateConfig(&settings) == duckdb.StateError {
		return nil, errors.New("make DuckDB's configuration")
	}
	defer duckdb.DestroyConfig(&settings)
	for _, s := range [][2]string{
		{"threads", fmt.Sprint(config.Threads)},
		{"memory_limit", fmt.Sprintf("%dB", config.Memory)},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
		{"allow_persistent_secrets", "false"},
	} {
		if duckdb.SetConfig(settings, s[0], s[1]) == duckdb.StateError {
			return nil, fmt.Errorf("set DuckDB's %s to %s", s[0], s[1])
		}
	}
	if duckdb.OpenExt("", &d.db, settings, &message) == duckdb.StateError {
		return nil, fmt.Errorf("open DuckDB: %s", message)
	}
	if duckdb.Connect(d.db, &d.conn) == duckdb.StateError {
		duckdb.Close(&d.db)
		return nil, errors.New("connect to DuckDB")
	}
	return d, nil
}

// lock fixes for this database's life what it may read and how it is set. The order matters: errors come as JSON
// from here on, and after the last statement nothing can be set any more.
func (d *database) lock(config childConfig, paths []string) error {
	statements := []string{
		"SET GLOBAL errors_as_json=true",
		"SET GLOBAL TimeZone='UTC'",
		"ATTACH ':memory:' AS kith",
		"CREATE SCHEMA kith.raw",
		"CREATE SCHEMA kith.clean",
		"CREATE SCHEMA kith.curated",
		"USE kith",
		"SET temp_directory=" + quote(filepath.Join(config.Folder, "spill")),
		fmt.Sprintf("SET max_temp_directory_size='%dB'", config.Spill),
		"SET allowed_paths=" + quoteList(paths),
		"SET enable_external_access=false",
		"SET lock_configuration=true",
	}
	for _, statement := range statements {
		if err := d.exec(statement); err != nil {
			return fmt.Errorf("lock DuckDB: %w", err)
		}
	}
	return nil
}

func (d *database) close() {
	duckdb.Disconnect(&d.conn)
	duckdb.Close(&d.db)
}

// exec runs a statement of ours.
func (d *database) exec(statement string) error {
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.Query(d.conn, statement, &result) == duckdb.StateError {
		return failure(duckdb.ResultError(&result))
	}
	return nil
}

// tree returns the syntax tree of text as DuckDB's own parser sees it.
func (d *database) tree(text string) ([]byte, error) {
	s, err := d.prepare("SELECT json_serialize_sql($1::VARCHAR, skip_default := true, skip_null := true)::VARCHAR")
	if err != nil {
		return nil, err
	}
	defer s.close()
	duckdb.BindVarcharLength(s.prepared, 1, text, duckdb.IdxT(len(text)))
	r, err := s.stream()
	if err != nil {
		return nil, err
	}
	defer r.close()
	if more, err := r.next(); err != nil || !more {
		return nil, errors.Join(err, errors.New("DuckDB's parser gave no row"))
	}
	return append([]byte(nil), r.vectors[0].bytes(0)...), nil
}

// statement is a prepared statement and the columns that it gives.
type statement struct {
	prepared duckdb.PreparedStatement
	names    []string
	types    []*logical
}

func (d *database) prepare(text string) (*statement, error) {
	s := &statement{}
	if duckdb.Prepare(d.conn, text, &s.prepared) == duckdb.StateError {
		err := failure(duckdb.PrepareError(s.prepared))
		s.close()
		return nil, err
	}
	if n := duckdb.NParams(s.prepared); n > 0 && !strings.HasPrefix(text, "SELECT json_serialize_sql(") {
		s.close()
		return nil, &Failure{Code: event.Invalid, Message: fmt.Sprintf("the query has %d parameters; parameters are not taken here", n), Position: -1}
	}
	for i := range duckdb.PreparedStatementColumnCount(s.prepared) {
		s.names = append(s.names, duckdb.PreparedStatementColumnName(s.prepared, i))
		t := duckdb.PreparedStatementColumnLogicalType(s.prepared, i)
		s.types = append(s.types, logicalOf(t))
		duckdb.DestroyLogicalType(&t)
	}
	return s, nil
}

func (s *statement) close() { duckdb.DestroyPrepare(&s.prepared) }

// stream starts the statement. Rows are made while they are fetched, so an answer of any size needs little memory.
func (s *statement) stream() (*rows, error) {
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(s.prepared, &pending) == duckdb.StateError {
		return nil, failure(duckdb.PendingError(pending))
	}
	r := &rows{statement: s, vectors: make([]vector, len(s.types))}
	if duckdb.ExecutePending(pending, &r.result) == duckdb.StateError {
		err := failure(duckdb.ResultError(&r.result))
		r.close()
		return nil, err
	}
	return r, nil
}

// rows is an answer that is being made, a chunk of some 2,000 rows at a time.
type rows struct {
	statement *statement
	result    duckdb.Result
	chunk     duckdb.DataChunk
	size      int
	vectors   []vector
}

// next makes the next chunk. The vectors of the one before are no longer good.
func (r *rows) next() (bool, error) {
	duckdb.DestroyDataChunk(&r.chunk)
	r.chunk = duckdb.FetchChunk(r.result)
	if r.chunk.Ptr == nil {
		if message := duckdb.ResultError(&r.result); message != "" {
			return false, failure(message)
		}
		return false, nil
	}
	r.size = int(duckdb.DataChunkGetSize(r.chunk))
	for i, t := range r.statement.types {
		r.vectors[i] = vectorOf(duckdb.DataChunkGetVector(r.chunk, duckdb.IdxT(i)), t, r.size)
	}
	return r.size > 0, nil
}

func (r *rows) close() {
	duckdb.DestroyDataChunk(&r.chunk)
	duckdb.DestroyResult(&r.result)
}

// failure reads an error of DuckDB: JSON after the name of its kind, once errors_as_json is set.
func failure(text string) *Failure {
	var parts struct {
		Type     string `json:"exception_type"`
		Message  string `json:"exception_message"`
		Position string `json:"position"`
	}
	f := &Failure{Code: event.Internal, Message: text, Position: -1}
	if i := strings.IndexByte(text, '{'); i >= 0 && i < 40 && json.Unmarshal([]byte(text[i:]), &parts) == nil && parts.Type != "" {
		f.Kind, f.Message = parts.Type, parts.Message
		if _, err := fmt.Sscan(parts.Position, &f.Position); err != nil {
			f.Position = -1
		}
	} else if kind, _, ok := strings.Cut(text, " Error: "); ok && len(kind) < 30 {
		f.Kind = kind
	}
	f.Message, _, _ = strings.Cut(f.Message, "\n\nLINE ") // the snippet shows our text too; the place says it better
	f.Message = strings.ReplaceAll(strings.TrimSpace(f.Message), "\n", " ")
	if f.Code, f.Retire = codeOf(f.Kind, f.Message); f.Code == event.Resource {
		for _, advice := range []string{"Possible solutions:", "This limit was set by"} { // by settings, which are locked
			f.Message, _, _ = strings.Cut(f.Message, advice)
		}
		f.Message = "the query needed more memory than its limit: " + strings.TrimSpace(f.Message)
		f.Hint = "filter or aggregate earlier, select fewer columns, or raise the memory limit of queries"
	}
	return f
}

// codeOf translates the name that DuckDB gives to a kind of error, and says whether the process should not be
// trusted with another query.
func codeOf(kind, message string) (event.Code, bool) {
	switch kind {
	case "Parser", "Syntax Error", "Syntax":
		return event.Usage, false
	case "Out of Memory", "Object Size":
		return event.Resource, false
	case "INTERRUPT", "Interrupt":
		return event.Canceled, false
	case "IO", "Permission", "Missing Extension", "HTTP", "Serialization":
		return event.Unavailable, false
	case "INTERNAL", "Internal", "FATAL", "Fatal", "Unknown":
		return event.Internal, true
	case "":
		if strings.Contains(message, "bad_alloc") || strings.Contains(message, "memory") {
			return event.Resource, true
		}
		return event.Internal, true
	}
	return event.Invalid, false
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]::VARCHAR[]"
}
