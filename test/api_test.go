package test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
)

// TestAPI asks one server everything that a client may ask.
func TestAPI(t *testing.T) {
	s := start(t, t.TempDir(), "--query-timeout", "20s", "--http-max-body", "1MB")
	a := &api{server: s, t: t, key: s.kith("source", "create", "web"), token: s.kith("token", "create", "analyst", "--role", "analyst")}
	a.t = t
	a.fill()
	for name, run := range map[string]func(a *api){
		"formats": (*api).formats, "time travel": (*api).timeTravel, "limits of a query": (*api).queryLimits, "cancel": (*api).cancel,
		"refusals": (*api).refusals, "keys": (*api).keys, "bodies": (*api).bodies, "results": (*api).results, "log-in": (*api).logIn,
		"documents": (*api).documents, "quarantine": (*api).quarantine, "exits": (*api).exits,
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.t = t
			run(&b)
		})
	}
}

// api is the server with an analyst's token and a source's key.
type api struct {
	*server
	t          *testing.T
	key, token string
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; header is pairs of name and value.
func (a *api) ask(method, path, body string, header ...string) answer {
	a.t.Helper()
	got, err := a.asking(context.Background(), method, path, body, header...)
	if err != nil {
		a.t.Fatal(err)
	}
	return got
}

func (a *api) asking(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// query runs SQL as the analyst; more is members of the request beside the query.
func (a *api) query(sql string, more map[string]any) answer {
	a.t.Helper()
	in := map[string]any{"query": sql}
	for name, value := range more {
		in[name] = value
	}
	body, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.ask("POST", "/api/v1/sql", string(body), "Authorization", "Bearer "+a.token)
}

// csv returns the rows of a query without the header.
func (a *api) csv(sql string, more map[string]any) string {
	a.t.Helper()
	all := map[string]any{"format": "csv"}
	for name, value := range more {
		all[name] = value
	}
	got := a.query(sql, all)
	if got.status != 200 {
		a.t.Fatalf("%s: %d %s", sql, got.status, got.body)
	}
	_, rows, _ := strings.Cut(got.body, "\n")
	return strings.TrimSpace(rows)
}

// problem fails unless the answer is a refusal in the form that all have, and returns its code and what it says.
func (a *api) problem(got answer, status int) (code, says string) {
	a.t.Helper()
	var p struct {
		Title, Code, Detail, Hint string
		Status                    int
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || got.status != status || p.Status != status || p.Code == "" || p.Detail == "" || p.Title == "" ||
		got.header.Get("Content-Type") != "application/problem+json" {
		a.t.Errorf("want a problem of status %d: %d %s %s", status, got.status, got.header.Get("Content-Type"), got.body)
	}
	return p.Code, got.body
}

// fill sends three events, commits them, and sends two more.
func (a *api) fill() {
	a.t.Helper()
	a.post(`[{"type":"track","event":"Signed Up","userId":"ana","messageId":"1","timestamp":"2026-01-01T10:00:00Z"},
		{"type":"track","event":"Order Completed","userId":"ana","messageId":"2","timestamp":"2026-01-02T10:00:00Z","properties":{"revenue":12.5,"currency":"EUR","order_id":"o-1"}},
		{"type":"track","event":"Order Completed","userId":"bo","messageId":"3","timestamp":"2026-01-03T10:00:00Z","properties":{"revenue":"7.25","currency":"EUR"}}]`)
	a.kith("lake", "commit")
	a.post(`{"type":"page","name":"Home","userId":"bo","messageId":"4"}
{"type":"track","event":"Signed Up","anonymousId":"x","messageId":"5"}`)
}

func (a *api) post(body string) answer {
	a.t.Helper()
	got := a.ask("POST", "/api/v1/events", body, "Authorization", "Bearer "+a.key)
	if got.status != 200 {
		a.t.Fatalf("%d %s", got.status, got.body)
	}
	return got
}

func (a *api) formats() {
	t := a.t
	const sql = "SELECT seq, event, revenue, ts FROM clean.events WHERE seq <= 3 ORDER BY seq"
	for format, want := range map[string]struct{ kind, body string }{
		"csv":    {"text/csv", "seq,event,revenue,ts\n1,Signed Up,,2026-01-01"},
		"ndjson": {"application/x-ndjson", `{"seq":1,"event":"Signed Up","revenue":null`},
		"json":   {"application/json", `"rows":[[1,"Signed Up",null`},
	} {
		got := a.query(sql, map[string]any{"format": format})
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), want.kind) || !strings.Contains(got.body, want.body) {
			t.Errorf("%s: %d %s %s", format, got.status, got.header.Get("Content-Type"), got.body)
		}
		snapshot, text, _ := strings.Cut(got.header.Get("Kith-View"), "@")
		if next, err := strconv.Atoi(text); err != nil || next < 6 || snapshot == "0" {
			t.Errorf("%s: the view is %q", format, got.header.Get("Kith-View"))
		}
	}
	got := a.query(sql, map[string]any{"format": "arrow"})
	stream, err := ipc.NewReader(strings.NewReader(got.body))
	if err != nil {
		t.Fatalf("Arrow: %v: %.200q", err, got.body)
	}
	defer stream.Release()
	var seqs []int64
	for stream.Next() {
		seqs = append(seqs, stream.RecordBatch().Column(0).(*array.Int64).Int64Values()...)
	}
	if stream.Err() != nil || !slices.Equal(seqs, []int64{1, 2, 3}) || stream.Schema().Field(2).Type.String() != "decimal(18, 4)" {
		t.Errorf("Arrow: %v, seqs %v, %v", stream.Err(), seqs, stream.Schema())
	}
	got = a.query(sql, map[string]any{"format": "parquet"})
	reader, err := file.NewParquetReader(bytes.NewReader([]byte(got.body)))
	if err != nil {
		t.Fatalf("Parquet: %v: %.200q", err, got.body)
	}
	defer reader.Close()
	rows, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := rows.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if table.NumRows() != 3 || table.NumCols() != 4 {
		t.Errorf("Parquet: %d rows, %d columns", table.NumRows(), table.NumCols())
	}
}

func (a *api) timeTravel() {
	t := a.t
	const count = "SELECT count(*) FROM clean.events WHERE seq <= 5"
	snapshot, _, _ := strings.Cut(a.query(count, nil).header.Get("Kith-View"), "@")
	id, err := strconv.ParseInt(snapshot, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql  string
		more map[string]any
		want string
	}{
		{count, nil, "5"},
		{count, map[string]any{"as_of_seq": 2}, "2"},
		{"SELECT count(*) FROM clean.events AS OF SEQ 4", nil, "4"},
		{count, map[string]any{"as_of_snapshot": id}, "3"},
		{"SELECT count(*) FROM clean.events AS OF SNAPSHOT " + snapshot, nil, "3"},
		{count, map[string]any{"after_seq": 5}, "5"},
	} {
		if got := a.csv(c.sql, c.more); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.sql, c.more, got, c.want)
		}
	}
	// What was acknowledged before the query is in its answer, also right after.
	body := a.post(`{"type":"track","event":"Just Now","messageId":"now"}`).body
	_, after, _ := strings.Cut(body, `"first":`)
	seq, err := strconv.ParseInt(after[:strings.IndexAny(after, ",}")], 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if got := a.csv("SELECT event FROM clean.events WHERE message_id = 'now'", map[string]any{"after_seq": seq}); got != "Just Now" {
		t.Errorf("%q", got)
	}
	for name, more := range map[string]map[string]any{"a seq to come": {"after_seq": seq + 1000}, "a state to come": {"as_of_seq": seq + 1000}, "a snapshot that never was": {"as_of_snapshot": 77}} {
		if code, _ := a.problem(a.query(count, more), 404); code != "not_found" {
			t.Errorf("%s: %s", name, code)
		}
	}
	a.problem(a.query(count, map[string]any{"as_of_seq": 1, "as_of_snapshot": id}), 400)
}

const endless = "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE a.i * b.j = -1"

func (a *api) queryLimits() {
	t := a.t
	if code, says := a.problem(a.query(endless, map[string]any{"timeout": "200ms"}), 504); code != "timed_out" || !strings.Contains(says, "200ms") {
		t.Error(says)
	}
	if code, says := a.problem(a.query("FROM range(11)", map[string]any{"max_rows": 10}), 422); code != "resource_exhausted" || !strings.Contains(says, "10") {
		t.Error(says)
	}
	a.problem(a.query("SELECT 1", map[string]any{"timeout": "soon"}), 400)
	for sql, want := range map[string]string{
		"SELEC 1":                               "usage",
		"SELECT evnt FROM clean.events":         "event",
		"SELECT * FROM clean.evnts":             "clean.events",
		"DROP TABLE clean.events":               "SELECT",
		"SELECT * FROM read_csv('/etc/passwd')": "read_csv",
		"SELECT 1; SELECT 2":                    "one",
	} {
		got := a.query(sql, nil)
		if got.status < 400 || got.status >= 500 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s", sql, got.status, got.body)
		}
		a.problem(got, got.status)
	}
	if got := a.csv("SELECT 1", nil); got != "1" {
		t.Errorf("after all of these: %q", got)
	}
}

// cancel goes away in the middle of a query, more often than there are query processes: each must be free again.
func (a *api) cancel() {
	for range 4 {
		ctx, cancel := context.WithCancel(a.t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := a.asking(ctx, "POST", "/api/v1/sql", `{"query":"`+endless+`"}`, "Authorization", "Bearer "+a.token)
		if !errors.Is(err, context.Canceled) {
			a.t.Fatalf("%v", err)
		}
	}
	if got := a.csv("SELECT 1", nil); got != "1" {
		a.t.Errorf("%q", got)
	}
}

func (a *api) refusals() {
	t := a.t
	bearer := []string{"Authorization", "Bearer " + a.token}
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/api/v1/nothing", "", 404, "not_found"},
		{"PUT", "/api/v1/sql", "{}", 405, "method_not_allowed"},
		{"POST", "/api/v1/sql", "{", 400, "invalid"},
		{"POST", "/api/v1/sql", `{}`, 400, "invalid"},
		{"POST", "/api/v1/sql", `{"query":"SELECT 1","formt":"csv"}`, 400, "invalid"},
		{"POST", "/api/v1/sql", `{"query":"SELECT 1","format":"xml"}`, 400, "invalid"},
		{"POST", "/api/v1/sources", `{"name":"x"}`, 403, "forbidden"},
		{"POST", "/api/v1/tokens", `{"name":"x","role":"owner"}`, 403, "forbidden"},
	} {
		if code, says := a.problem(a.ask(c.method, c.path, c.body, bearer...), c.status); code != c.code {
			t.Errorf("%s %s: %s", c.method, c.path, says)
		}
	}
	got := a.ask("PUT", "/api/v1/sql", "{}", bearer...)
	if got.header.Get("Allow") != "POST" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
	if code, says := a.problem(a.ask("GET", "/api/v1/status", "", append(bearer, "Host", "evil.example")...), 403); code != "forbidden" || !strings.Contains(says, "http.hosts") {
		t.Errorf("a name that is not ours: %s", says)
	}
}

func (a *api) keys() {
	t := a.t
	const one = `{"type":"track","event":"X","messageId":"k"}`
	for name, header := range map[string][]string{
		"none":           nil,
		"a wrong one":    {"Authorization", "Bearer nonsense"},
		"a wrong basic":  {"Authorization", "Basic bm9uc2Vuc2U6"},
		"another scheme": {"Authorization", "Digest x"},
	} {
		code, says := a.problem(a.ask("POST", "/api/v1/events", one, header...), 401)
		if code != "unauthenticated" {
			t.Errorf("%s: %s", name, says)
		}
		if code, says := a.problem(a.ask("GET", "/api/v1/status", "", header...), 401); code != "unauthenticated" {
			t.Errorf("%s: %s", name, says)
		}
	}
	// Segment's route refuses in Segment's form.
	if got := a.ask("POST", "/v1/batch", `{"batch":[`+one+`]}`); got.status != 401 {
		t.Errorf("/v1/batch without a key: %d %s", got.status, got.body)
	}
	if got := a.ask("POST", "/v1/batch", `{"writeKey":"`+a.key+`","batch":[{"type":"track","event":"X","messageId":"wk","userId":"ana"}]}`); got.status != 200 {
		t.Errorf("/v1/batch with the key in the body: %d %s", got.status, got.body)
	}
	if got := a.ask("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, "Authorization", "Bearer "+a.key); got.status != 403 && got.status != 401 {
		t.Errorf("a write key asks: %d", got.status)
	}
	if code, _ := a.problem(a.ask("POST", "/api/v1/events", one, "Authorization", "Bearer "+a.token), 403); code != "forbidden" {
		t.Errorf("an analyst's token sends: %s", code)
	}
	second := a.kith("source", "rotate", "web")
	if got := a.ask("POST", "/api/v1/events", one, "Authorization", "Bearer "+second); got.status != 200 {
		t.Errorf("the second key: %d", got.status)
	}
	a.post(one)
	a.kith("source", "revoke", "web", second[:8])
	if code, _ := a.problem(a.ask("POST", "/api/v1/events", one, "Authorization", "Bearer "+second), 401); code != "unauthenticated" {
		t.Errorf("a revoked key: %s", code)
	}
	a.post(one)
}

func (a *api) bodies() {
	t := a.t
	auth := []string{"Authorization", "Bearer " + a.key}
	event := `{"type":"track","event":"Packed","messageId":"%s"}`
	var zipped bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	fmt.Fprintf(gz, event, "gz")
	gz.Close()
	if got := a.ask("POST", "/api/v1/events", zipped.String(), append(auth, "Content-Encoding", "gzip")...); got.status != 200 {
		t.Errorf("gzip: %d %s", got.status, got.body)
	}
	coder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := coder.EncodeAll(fmt.Appendf(nil, event, "zst"), nil)
	if got := a.ask("POST", "/api/v1/events", string(packed), append(auth, "Content-Encoding", "zstd")...); got.status != 200 {
		t.Errorf("zstd: %d %s", got.status, got.body)
	}
	if got := a.csv("SELECT count(*) FROM clean.events WHERE event = 'Packed'", nil); got != "2" {
		t.Errorf("%s packed events", got)
	}
	bomb := coder.EncodeAll(bytes.Repeat([]byte(" "), 80<<20), nil)
	for _, c := range []struct {
		name, body string
		encoding   string
		status     int
		says       string
	}{
		{"over the limit", strings.Repeat(" ", 1_000_001), "", 413, "1000000"},
		{"a bomb", string(bomb), "zstd", 413, "67108864"},
		{"not gzip", "{}", "gzip", 400, "gzip"},
		{"unknown packing", "{}", "br", 400, "br"},
		{"no JSON", `{"type":"track"`, "", 400, ""},
		{"nothing", " ", "", 400, "empty"},
	} {
		header := auth
		if c.encoding != "" {
			header = append(slices.Clone(auth), "Content-Encoding", c.encoding)
		}
		if _, says := a.problem(a.ask("POST", "/api/v1/events", c.body, header...), c.status); !strings.Contains(says, c.says) {
			t.Errorf("%s: %s", c.name, says)
		}
	}
}

// results are one for each record that was refused, with all of them when they are asked for.
func (a *api) results() {
	t := a.t
	body := `[{"type":"track","event":"Fine","messageId":"r1"},{"type":"sing","messageId":"r2"},{"event":"No Type","messageId":"r3"},7]`
	var got struct {
		Accepted, Refused int
		Results           []struct {
			Index         int
			Code, Message string
		}
	}
	if err := json.Unmarshal([]byte(a.post(body).body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Accepted != 1 || got.Refused != 3 || len(got.Results) != 3 || got.Results[0].Index != 1 || got.Results[0].Message == "" || got.Results[2].Index != 3 {
		t.Errorf("%+v", got)
	}
	all := a.ask("POST", "/api/v1/events?results=all", body, "Authorization", "Bearer "+a.key)
	if err := json.Unmarshal([]byte(all.body), &got); err != nil || len(got.Results) != 4 {
		t.Errorf("%v: %s", err, all.body)
	}
}

func (a *api) logIn() {
	t := a.t
	const person = `{"email":"owner@example.test","password":"correct horse battery"}`
	a.problem(a.ask("POST", "/api/v1/login", `{"email":"owner@example.test","password":"wrong wrong wrong"}`), 401)
	a.problem(a.ask("POST", "/api/v1/login", person, "Origin", "https://evil.example"), 403)
	in := a.ask("POST", "/api/v1/login", person, "Origin", a.url)
	if in.status != 200 {
		t.Fatalf("%d %s", in.status, in.body)
	}
	cookie := in.header.Get("Set-Cookie")
	for _, flag := range []string{"kith_session=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, flag) {
			t.Errorf("the cookie lacks %s: %s", flag, cookie)
		}
	}
	session, _, _ := strings.Cut(cookie, ";")
	if got := a.ask("GET", "/api/v1/me", "", "Cookie", session); got.status != 200 || !strings.Contains(got.body, "owner@example.test") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"another site's page":            {[]string{"Origin", "https://evil.example"}, 403},
		"another site's page, by fetch":  {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"nobody knows whose page":        {nil, 403},
		"our own page":                   {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"our own page, an older browser": {[]string{"Origin", a.url}, 200},
	} {
		got := a.ask("POST", "/api/v1/sql", `{"query":"SELECT 1"}`, append([]string{"Cookie", session}, c.header...)...)
		if got.status != c.status && (c.status == 200 || got.status != 401) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	a.ask("POST", "/api/v1/logout", "", "Cookie", session, "Origin", a.url)
	a.problem(a.ask("GET", "/api/v1/me", "", "Cookie", session), 401)
	page := a.ask("GET", "/", "")
	if page.status != 200 || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'self'") || page.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%d %v", page.status, page.header)
	}
}

func (a *api) documents() {
	t := a.t
	got := a.ask("GET", "/api/v1/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths["/api/v1/sql"] == nil {
		t.Errorf("%v %s: %d paths", err, doc.OpenAPI, len(doc.Paths))
	}
	for path, status := range map[string]int{"/api/docs": 200, "/healthz": 200, "/readyz": 200, "/metrics": 401} {
		if got := a.ask("GET", path, ""); got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	metrics := a.ask("GET", "/metrics", "", "Authorization", "Bearer "+a.token).body
	if !strings.Contains(metrics, "kith_received ") || strings.Contains(metrics, a.token) || strings.Contains(metrics, a.key) {
		t.Error(metrics)
	}
}

func (a *api) quarantine() {
	a.post(`[{"type":"dance","messageId":"q1"}]`)
	if got := a.csv("SELECT reason FROM clean.quarantine WHERE seq = (SELECT max(seq) FROM clean.quarantine)", nil); got != "type_unknown" {
		a.t.Errorf("%q", got)
	}
	if got := a.kith("quarantine", "list", "--format", "csv"); !strings.Contains(got, "type_unknown") {
		a.t.Error(got)
	}
}

// breaksOff is a query that fails after a part of its answer is given.
const breaksOff = "SELECT i, CASE WHEN i < 150000 THEN 1 ELSE ('x' || i)::INT END AS x FROM range(200000) t(i)"

// run runs a command and returns its exit code and what it prints.
func run(t *testing.T, env []string, args ...string) (code int, out, problems string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Env = append(cleanEnv(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func (a *api) exits() {
	t := a.t
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, "kith"},
		{[]string{"--help"}, 0, "Usage"},
		{[]string{"sql", "--help"}, 0, "Example"},
		{[]string{"sql", "--data", a.data, "SELECT 41 + 1"}, 0, "42"},
		{[]string{"sql", "--data", a.data, "SELECT nothing FROM clean.events"}, 1, "nothing"},
		{[]string{"sql", "--server", a.url, "SELECT 1"}, 1, "no credential"},
		{[]string{"sql", "--server", "http://127.0.0.1:1", "SELECT 1"}, 1, "is the server running"},
		{[]string{"sql", "--data", a.data, "SELEC 1"}, 2, "SELEC"},
		{[]string{"sql", "--data", a.data, "--format", "csv", breaksOff}, 1, "Could not convert"},
		{[]string{"sql", "--data", a.data, "--format", "json", breaksOff}, 1, "Could not convert"},
		{[]string{"sql", "--data", a.data, breaksOff}, 1, "Could not convert"},
		{[]string{"sql", "--data", a.data, "--format", "xml", "SELECT 1"}, 2, "xml"},
		{[]string{"sqll"}, 2, "sqll"},
		{[]string{"serve", "--http-lisen", "x"}, 2, "--http-listen"},
		{nil, 2, "Usage"},
		{[]string{"source", "create", "web", "--data", a.data}, 1, "web"},
		{[]string{"source", "create", "WEB!", "--data", a.data}, 1, "name"},
		{[]string{"import", "none.csv", "--map", "none.yaml", "--source", "web", "--data", a.data}, 2, "none.csv"},
		{[]string{"serve", "--data", a.data, "--http-listen", "127.0.0.1:0"}, 1, fmt.Sprintf("pid %d", a.cmd.Process.Pid)},
	} {
		code, out, problems := run(t, nil, c.args...)
		if code != c.code || !strings.Contains(out+problems, c.says) {
			t.Errorf("kith %s: exit %d, want %d with %q\n%s%s", strings.Join(c.args, " "), code, c.code, c.says, out, problems)
		}
	}
	code, out, _ := run(t, []string{"KITH_TOKEN=" + a.token}, "sql", "--server", a.url, "--format", "csv", "SELECT 41 + 1 AS n")
	if code != 0 || out != "n\n42\n" {
		t.Errorf("by token: %d %q", code, out)
	}
}

// TestCommandsAtOnce runs commands side by side on a folder that no server has: one of them opens it, and those that come
// meanwhile speak to that one or wait for it.
func TestCommandsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			cmd := exec.Command(binary(t), "source", "create", fmt.Sprint("source", i), "--data", dir)
			cmd.Env = cleanEnv()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	if _, out, _ := run(t, nil, "source", "list", "--format", "csv", "--data", dir); strings.Count(out, ",live,") != 6 {
		t.Error(out)
	}
}

// TestConfigPrint shows every setting, where it comes from, and no secret.
func TestConfigPrint(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "kith.yaml"), "lake:\n  commit_rows: 123\n")
	code, out, problems := run(t, []string{"KITH_ADMIN_PASSWORD=sesame sesame", "KITH_QUERY_THREADS=1"}, "config", "print", "--data", dir, "--format", "csv")
	if code != 0 || strings.Contains(out+problems, "sesame") || !strings.Contains(out, "admin.password,••••••,KITH_ADMIN_PASSWORD") ||
		!strings.Contains(out, "query.threads,1,KITH_QUERY_THREADS") || !strings.Contains(out, "lake.commit_rows,123,"+filepath.Join(dir, "kith.yaml")+":2") {
		t.Errorf("%d\n%s%s", code, out, problems)
	}
	put(t, filepath.Join(dir, "kith.yaml"), "lake:\n  comit_rows: 123\n")
	for _, args := range [][]string{{"config", "print", "--data", dir}, {"serve", "--data", dir}} {
		code, out, problems = run(t, []string{"KITH_QUERY_TREADS=1"}, args...)
		if code != 1 || !strings.Contains(problems, "kith.yaml:2") || !strings.Contains(problems, `"lake.commit_rows"`) || !strings.Contains(problems, "KITH_QUERY_THREADS") {
			t.Errorf("%q: %d\n%s%s", args, code, out, problems)
		}
	}
}
