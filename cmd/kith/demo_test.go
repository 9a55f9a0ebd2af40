package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kith/examples/shop"
	"kith/internal/duck"
)

// TestMain lets the test binary be the query process that the server starts.
func TestMain(m *testing.M) {
	if os.Getenv(duck.ChildVariable) != "" {
		os.Exit(duck.Main())
	}
	os.Exit(m.Run())
}

// kith runs a command and returns what it printed.
func kith(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// The demo is loaded until noon and broken off, goes on until the afternoon, and is started once more. Then SQL gives
// the answers that the shop's own count gives.
func TestDemo(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "demo")
	end := time.Date(2025, 11, 24, 15, 30, 0, 0, time.UTC)
	mark := demoMark{Shop: demoShop, Seed: 7, Customers: 100, Days: shop.History, End: end.Add(-6 * time.Hour), Email: demoUser,
		Password: "a password of the test", Keys: map[string]string{}, path: filepath.Join(folder, "DEMO")}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var out string
	for start, until := range []time.Time{mark.End, end, end} {
		mark.End, mark.Loaded = until, start == 2
		if err := mark.save(); err != nil {
			t.Fatal(err)
		}
		code, printed, errs := kith(t, "demo", "--data", folder, "--listen", "127.0.0.1:0", "--no-serve")
		if out = printed; code != 0 {
			t.Fatalf("exit %d: %s", code, errs)
		}
		text, err := os.ReadFile(mark.path)
		if err == nil {
			err = json.Unmarshal(text, &mark)
		}
		if err != nil || !mark.Loaded || len(mark.Keys) != 3 {
			t.Fatalf("the mark says %s (%v)", text, err)
		}
	}
	x := mark.world().Expected()
	summary := fmt.Sprintf("Of %s events received %s became rows; %s were sent twice and are there once; %s could not be taken:",
		thousands(x.Total()), thousands(x.Rows()), thousands(total(x.Resends)), thousands(total(x.Broken)))
	if !strings.Contains(out, summary) {
		t.Errorf("it does not print\n%s\nbut\n%s", summary, out)
	}
	checkAnswers(t, folder, end, x)
}

func checkAnswers(t *testing.T, folder string, end time.Time, x shop.Expected) {
	db := &target{Data: folder}
	c, err := db.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, q := range []struct {
		sql  string
		want map[string]int
	}{
		{"SELECT source, count(*) FROM raw.events WHERE source IS NOT NULL GROUP BY source", x.Lines},
		{"SELECT type, count(*) FROM clean.events GROUP BY type", x.Types},
		{"SELECT event, count(*) FROM clean.events WHERE type = 'track' GROUP BY event", x.Events},
		{"SELECT reason, count(*) FROM clean.quarantine GROUP BY reason", x.Broken},
		{"SELECT strftime(ts, '%Y-%m'), (100 * sum(total))::BIGINT FROM clean.events WHERE event = 'Order Completed' GROUP BY 1", cents(x.ByMonth)},
		{"SELECT 'refunds', (100 * sum(total))::BIGINT FROM clean.events WHERE event = 'Order Refunded'", map[string]int{"refunds": int(x.Refunds)}},
		{"SELECT 'text', count(*) FROM clean.events WHERE event = 'Order Completed' AND total IS NULL", map[string]int{"text": x.TextOrders}},
		{"SELECT 'untimely', count(*) FROM clean.events WHERE ts >= TIMESTAMPTZ '" + end.Format(time.RFC3339) + "' + INTERVAL 1 MINUTE", map[string]int{"untimely": 0}},
		{"SELECT 'history', count(*) FILTER (received_at < TIMESTAMPTZ '2025-11-25') * 100 // count(*) FROM clean.events", map[string]int{"history": 99}},
		{"SELECT 'by batch', least(1, count(*)) FROM raw.events WHERE door = 'batch'", map[string]int{"by batch": 1}},
	} {
		if got := countsOf(t.Context(), t, c, q.sql); fmt.Sprint(got) != fmt.Sprint(q.want) {
			t.Errorf("%s\ngives %v\nwant  %v", q.sql, got, q.want)
		}
	}
}

func countsOf(ctx context.Context, t *testing.T, c *client, sql string) map[string]int {
	t.Helper()
	var answer struct {
		Rows [][]json.RawMessage `json:"rows"`
	}
	if err := c.call(ctx, "POST", "/api/v1/sql", map[string]string{"query": sql}, &answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	counts := map[string]int{}
	for _, row := range answer.Rows {
		var name string
		var n int
		if err := json.Unmarshal(row[0], &name); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(bytes.Trim(row[1], `"`), &n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func cents(by map[string]int64) map[string]int {
	all := map[string]int{}
	for name, n := range by {
		all[name] = int(n)
	}
	return all
}

func TestDemoRefuses(t *testing.T) {
	used, foreign := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{filepath.Join(used, "control.db"): "", filepath.Join(foreign, "DEMO"): "{}"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"holds data that is not the demo's": {"--data", used},
		"no mark of a demo":                 {"--data", foreign},
		"20 to 5,000,000 customers":         {"--data", filepath.Join(used, "new"), "--customers", "3"},
		"1 to 548 days":                     {"--data", filepath.Join(used, "new"), "--days", "600"},
	} {
		code, _, errs := kith(t, append([]string{"demo", "--no-serve", "--listen", "127.0.0.1:0"}, args...)...)
		if code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
	if inside, err := os.ReadDir(used); err != nil || len(inside) != 1 {
		t.Errorf("the folder that was refused holds %v now (%v)", inside, err)
	}
}

func TestShellWord(t *testing.T) {
	for path, want := range map[string]string{"data/demo": "data/demo", "/tmp/my data": "'/tmp/my data'", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := shellWord(path); got != want {
			t.Errorf("%s is written %s", path, got)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 100000: "100,000", -100000: "-100,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
