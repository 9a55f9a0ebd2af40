package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kith/app"
	"kith/event"
	"kith/internal/settings"
)

// from returns where a setting's value comes from, and the value as it is shown.
func from(t *testing.T, all []settings.Setting, name string) (value, origin string) {
	t.Helper()
	for _, s := range all {
		if s.Name == name {
			return s.Value, s.From
		}
	}
	t.Fatalf("there is no setting %s", name)
	return "", ""
}

func TestEachPlaceGoesOverTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "kith.yaml")
	write(t, file, "http:\n  listen: 127.0.0.1:1\n  max_body: 1MB\nlake:\n  commit_rows: 7\nadmin:\n  password: hunter two\n")
	t.Setenv("KITH_HTTP_LISTEN", "127.0.0.1:2")
	t.Setenv("KITH_LAKE_COMMIT_ROWS", "8")
	t.Setenv("KITH_TOKEN", "of the command line, and no setting")
	c, all, err := app.LoadConfig("", map[string]string{"data": dir, "http.listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != dir || c.HTTP.Listen != "127.0.0.1:3" || c.Lake.CommitRows != 8 || c.HTTP.MaxBody != 1_000_000 || c.Admin.Password != "hunter two" || c.Query.Timeout != time.Minute {
		t.Errorf("%+v", c)
	}
	for name, want := range map[string][2]string{
		"http.listen":      {"127.0.0.1:3", "--http-listen"},
		"lake.commit_rows": {"8", "KITH_LAKE_COMMIT_ROWS"},
		"http.max_body":    {"1MB", file + ":3"},
		"query.timeout":    {"60s", "default"},
		"admin.password":   {"••••••", file + ":7"},
	} {
		if value, origin := from(t, all, name); value != want[0] || origin != want[1] {
			t.Errorf("%s is %q from %s, want %q from %s", name, value, origin, want[0], want[1])
		}
	}
}

func TestANamedFileMustBeThere(t *testing.T) {
	if _, _, err := app.LoadConfig(filepath.Join(t.TempDir(), "none.yaml"), nil); event.CodeOf(err) != event.Invalid || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "other.yaml")
	write(t, file, "role: local\n")
	c, _, err := app.LoadConfig(file, nil)
	if err != nil || c.Role != "local" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestWhatIsWrongInTheConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		file, env, value string
		flags            map[string]string
		says             []string
	}{
		"a key":            {file: "http:\n  lisen: x\n", says: []string{"kith.yaml:2", "http.lisen", `"http.listen"`}},
		"a section":        {file: "jurnal:\n  linger: 1s\n", says: []string{"kith.yaml:1", "jurnal"}},
		"a variable":       {env: "KITH_HTTP_LISEN", value: "x", says: []string{"KITH_HTTP_LISEN", "KITH_HTTP_LISTEN"}},
		"a flag":           {flags: map[string]string{"query.memry": "1GB"}, says: []string{"query.memry", "query.memory"}},
		"a duration":       {file: "lake:\n  flush_interval: soon\n", says: []string{"kith.yaml:2", "lake.flush_interval", "soon"}},
		"a size":           {env: "KITH_QUERY_MEMORY", value: "lots", says: []string{"KITH_QUERY_MEMORY", "lots"}},
		"a role":           {flags: map[string]string{"role": "boss"}, says: []string{"role", "boss", "single"}},
		"a level":          {env: "KITH_LOG_LEVEL", value: "loud", says: []string{"log.level", "loud", "debug"}},
		"no YAML":          {file: "http: [\n", says: []string{"kith.yaml", "not YAML"}},
		"a negative value": {file: "lake:\n  commit_rows: -1\n", says: []string{"lake.commit_rows", "-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				write(t, filepath.Join(dir, "kith.yaml"), c.file)
			}
			if c.env != "" {
				t.Setenv(c.env, c.value)
			}
			flags := map[string]string{"data": dir}
			for name, value := range c.flags {
				flags[name] = value
			}
			_, _, err := app.LoadConfig("", flags)
			if event.CodeOf(err) != event.Invalid {
				t.Fatalf("%v", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kith.yaml"), "rol: local\n")
	t.Setenv("KITH_LOG_LEVEL", "loud")
	_, _, err := app.LoadConfig("", map[string]string{"data": dir, "query.threads": "many"})
	all := event.Errors(err)
	if len(all) != 3 {
		t.Errorf("%d errors: %v", len(all), err)
	}
}

func TestTheFolderOfTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KITH_DATA", dir)
	write(t, filepath.Join(dir, "kith.yaml"), "log:\n  level: warn\n")
	c, _, err := app.LoadConfig("", nil)
	if err != nil || c.Data != dir || c.Log.Level != "warn" {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading the configuration opened the folder")
	}
}
