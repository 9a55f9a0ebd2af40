package files

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kith/event"
)

// csvTable reads RFC 4180 with any one-character delimiter. The header's names are the columns.
type csvTable struct {
	file   *os.File
	read   *csv.Reader
	names  []string
	cells  []cell
	text   []byte
	size   int64
	base   int64 // of the byte order mark
	offset int64 // where the next row begins, after base
}

func openCSV(file *os.File, m *Mapping) (table, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", file.Name(), err)
	}
	in := bufio.NewReaderSize(file, 1<<20)
	t := &csvTable{file: file, read: csv.NewReader(in), size: info.Size()}
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		n, err := in.Discard(len(mark))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file.Name(), err)
		}
		t.base = int64(n)
	}
	head, _ := in.Peek(64 << 10)
	t.read.Comma = delimiter(head, m.Delimiter)
	t.read.ReuseRecord = true
	t.read.FieldsPerRecord = -1 // counted here, so that a row of another length is one bad row and not the end
	names, err := t.read.Read()
	if err == io.EOF {
		return nil, event.Errorf(event.Invalid, "the file is empty; its first line must name the columns")
	}
	if err != nil {
		return nil, event.Errorf(event.Invalid, "the first line does not name the columns: %v", err)
	}
	for _, name := range names {
		t.names = append(t.names, strings.Clone(strings.TrimSpace(name)))
	}
	t.cells = make([]cell, len(t.names))
	t.offset = t.read.InputOffset()
	return t, nil
}

// delimiter is what the mapping says, or else what stands most often in the first line.
func delimiter(head []byte, told string) rune {
	if told != "" {
		return []rune(told)[0]
	}
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	best, most := ',', 0
	for _, d := range []rune{',', ';', '\t', '|'} {
		if n := bytes.Count(line, []byte(string(d))); n > most {
			best, most = d, n
		}
	}
	return best
}

func (t *csvTable) columns() []string { return t.names }

func (t *csvTable) next() ([]cell, int, error) {
	fields, err := t.read.Read()
	began := t.offset
	t.offset = t.read.InputOffset()
	if err == io.EOF {
		return nil, 0, io.EOF
	}
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		place := event.Place{File: filepath.Base(t.file.Name()), Line: syntax.Line, Path: fmt.Sprintf("column %d", syntax.Column)}
		return nil, 0, t.bad(began, syntax.StartLine, &event.Error{Code: event.Invalid, Message: syntax.Err.Error(), Place: place})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", t.file.Name(), err)
	}
	line, _ := t.read.FieldPos(0)
	if len(fields) != len(t.names) {
		place := event.Place{File: filepath.Base(t.file.Name()), Line: line}
		return nil, 0, t.bad(began, line, &event.Error{Code: event.Invalid, Message: fmt.Sprintf("the row has %d fields, the header %d", len(fields), len(t.names)), Place: place})
	}
	t.text = t.text[:0]
	for i, field := range fields {
		start := len(t.text)
		t.text = append(t.text, field...)
		t.cells[i] = cell{isText, t.text[start:len(t.text):len(t.text)]}
		if field == "" {
			t.cells[i].kind = absent
		}
	}
	return t.cells, line, nil
}

// bad reads the text of the row again from the file, at most 4 kB of it.
func (t *csvTable) bad(began int64, line int, err *event.Error) *rowError {
	text := make([]byte, min(t.offset-began, 4<<10))
	n, _ := t.file.ReadAt(text, t.base+began)
	return &rowError{line, strings.TrimRight(string(text[:n]), "\r\n"), err}
}

func (t *csvTable) progress() (done, total int64) { return t.base + t.offset, t.size }
func (t *csvTable) close() error                  { return t.file.Close() }
