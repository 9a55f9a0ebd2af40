package collect_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"

	"kith/collect"
	"kith/event"
)

var update = flag.Bool("update", false, "write what the doors answer into the case files")

// TestCases plays testdata/*.case. A file is a txtar archive: a request, the answer to it, the lines it left in the
// journal, again and again. A request is its first line, its headers, an empty line and the body, in which
// {{repeat 9 "x"}} and {{hex "ff00"}} may stand; a body under Content-Encoding is encoded by the test, unless it has
// the header Test-Raw. A section "limits" holds for all requests after it; the header Test-Journal says how the
// journal fails.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.case")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".case"), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := &txtar.Archive{Comment: archive.Comment}
	var limits collect.Limits
	for _, section := range archive.Files {
		switch name, title, _ := strings.Cut(section.Name, " "); name {
		case "limits":
			limits = parseLimits(t, section.Data)
			out.Files = append(out.Files, section)
		case "request":
			t.Run(title, func(t *testing.T) {
				answer, lines := exchange(t, limits, string(section.Data))
				out.Files = append(out.Files, section, txtar.File{Name: "answer", Data: answer})
				if len(lines) > 0 {
					out.Files = append(out.Files, txtar.File{Name: "lines", Data: lines})
				}
			})
		}
	}
	got := txtar.Format(out)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(archive); !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./collect -update writes it anew):\n%s", file, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	request := ""
	for i := range g {
		if strings.HasPrefix(g[i], "-- request") {
			request = g[i]
		}
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("%s\ngot  %s\nwant %s", request, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return "the file has more"
}

func parseLimits(t *testing.T, text []byte) (limits collect.Limits) {
	for line := range strings.Lines(string(text)) {
		var name string
		var value int64
		if _, err := fmt.Sscan(line, &name, &value); err != nil {
			t.Fatalf("limits: %q: %v", line, err)
		}
		reflect.ValueOf(&limits).Elem().FieldByName(name).SetInt(value)
	}
	return limits
}

// exchange sends one request to a collector of its own.
func exchange(t *testing.T, limits collect.Limits, text string) (answer, lines []byte) {
	s := open(limits)
	r := parseRequest(t, text)
	if message := r.Header.Get("Test-Journal"); message != "" {
		s.journal.fail = event.Errorf(event.Unavailable, "%s", message)
		if message == "broken" {
			s.journal.fail = fmt.Errorf("a detail for the log")
		}
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	s.sound(t)
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code, w.Header().Get("Content-Type"))
	for _, name := range []string{"Allow", "Retry-After", "WWW-Authenticate", "X-RateLimit-Reset"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.Write(w.Body.Bytes())
	for _, line := range s.journal.lines {
		lines = append(lines, shorten(line)...)
		lines = append(lines, '\n')
	}
	return b.Bytes(), lines
}

// shorten keeps long lines readable: a run of more than 40 equal bytes becomes its length.
func shorten(line []byte) (out []byte) {
	for i := 0; i < len(line); {
		n := 1
		for i+n < len(line) && line[i+n] == line[i] {
			n++
		}
		if n > 40 {
			out = fmt.Appendf(out, "<%d times %c>", n, line[i])
		} else {
			out = append(out, line[i:i+n]...)
		}
		i += n
	}
	return out
}

func parseRequest(t *testing.T, text string) *http.Request {
	head, body, _ := strings.Cut(text, "\n\n")
	first, headers, _ := strings.Cut(head, "\n")
	method, target, _ := strings.Cut(first, " ")
	var b bytes.Buffer
	tmpl, err := template.New("body").Funcs(template.FuncMap{
		"repeat": func(n int, s string) string { return strings.Repeat(s, n) },
		"hex":    func(s string) (raw string, err error) { _, err = fmt.Sscanf(s, "%x", &raw); return raw, err },
	}).Parse(strings.TrimSuffix(body, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tmpl.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		header.Add(name, value)
	}
	raw := b.Bytes()
	if header.Get("Test-Raw") == "" {
		raw = encode(header.Get("Content-Encoding"), raw)
	}
	r := httptest.NewRequest(method, target, bytes.NewReader(raw))
	r.Header = header
	if key := header.Get("Test-Key"); key != "" {
		r.SetBasicAuth(key, "")
	}
	if from := header.Get("Test-From"); from != "" {
		r.RemoteAddr = from
	}
	return r
}

func encode(encoding string, raw []byte) []byte {
	var b bytes.Buffer
	switch encoding {
	case "gzip":
		w := gzip.NewWriter(&b)
		_, _ = w.Write(raw)
		_ = w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&b)
		_, _ = w.Write(raw)
		_ = w.Close()
	default:
		return raw
	}
	return b.Bytes()
}
