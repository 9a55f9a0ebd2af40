package settings_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"kith/event"
	"kith/internal/settings"
)

var update = flag.Bool("update", false, "write what the cases give into them")

type config struct {
	Data string `name:"data" default:"kith-data" help:"Folder of the data."`
	HTTP struct {
		Listen  string        `name:"listen" default:"127.0.0.1:8080" help:"Address to answer on."`
		Hosts   []string      `name:"hosts" help:"Names it answers to."`
		Timeout time.Duration `name:"read-timeout" default:"10s" help:"How long a body may take."`
		Limit   settings.Size `name:"limit" default:"8MB" help:"Largest body."`
		TLS     struct {
			Insecure bool `name:"insecure" help:"Answer without TLS."`
		} `name:"tls"`
	} `name:"http"`
	Admin struct {
		Password string `name:"password" secret:"true" help:"Of the first administrator."`
		PIN      int    `name:"pin" secret:"true" help:"A secret number."`
	} `name:"admin"`
	Level   string `name:"level" default:"info" enum:"debug,info,warn" help:"What is logged."`
	Workers int    `name:"workers" default:"2" help:"How many."`
	Rows    int64  `name:"rows" default:"100000" help:"How many."`
}

// TestCases runs testdata/*.txt: the inputs, and what the command `kith config print` would say of them.
func TestCases(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { runCase(t, path) })
	}
}

func runCase(t *testing.T, path string) {
	home, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := txtar.ParseFile(home)
	if err != nil {
		t.Fatal(err)
	}
	in := settings.Inputs{Also: []string{"KITH_TOKEN"}, Flags: map[string]string{}}
	t.Chdir(t.TempDir())
	for _, f := range archive.Files {
		lines := strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		switch f.Name {
		case "kith.yaml":
			in.File = "kith.yaml"
			if err := os.WriteFile("kith.yaml", f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		case "environment":
			in.Environ = lines
		case "flags":
			for _, line := range lines {
				name, value, _ := strings.Cut(line, "=")
				in.Flags[name] = value
			}
		}
	}
	var c config
	got := render(settings.Load(&c, in))
	last := &archive.Files[len(archive.Files)-1]
	if last.Name != "want" {
		t.Fatal("the last part of a case is what is wanted")
	}
	if *update {
		last.Data = []byte(got)
		if err := os.WriteFile(home, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(last.Data) {
		t.Errorf("got\n%s\nwant\n%s", got, last.Data)
	}
}

func render(all []settings.Setting, err error) string {
	var text strings.Builder
	for _, e := range event.Errors(err) {
		fmt.Fprintln(&text, e)
	}
	for _, s := range all {
		if s.From != "default" {
			fmt.Fprintf(&text, "%s = %q from %s\n", s.Name, s.Value, s.From)
		}
	}
	return text.String()
}

func TestDefaults(t *testing.T) {
	var c config
	all, err := settings.Load(&c, settings.Inputs{File: filepath.Join(t.TempDir(), "kith.yaml"), Optional: true})
	if err != nil || c.HTTP.Listen != "127.0.0.1:8080" || c.HTTP.Timeout != 10*time.Second || c.HTTP.Limit != 8e6 || c.Workers != 2 || c.Rows != 100000 {
		t.Errorf("got %+v, %v", c, err)
	}
	if len(all) != 11 || all[1].Env != "KITH_HTTP_LISTEN" || all[3].Env != "KITH_HTTP_READ_TIMEOUT" || all[5].Name != "http.tls.insecure" {
		t.Errorf("got %+v", all)
	}
	if described := settings.Describe(&config{}); fmt.Sprint(described) != fmt.Sprint(all) {
		t.Errorf("described as %+v", described)
	}
}

func TestValuesArrive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kith.yaml")
	text := "http: {hosts: [a, b], read-timeout: 1m30s, limit: 1.5 GiB, tls: {insecure: true}}\nadmin:\n  password: |-\n    two\n    lines\n  pin: 7\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config
	_, err := settings.Load(&c, settings.Inputs{File: path, Environ: []string{"KITH_WORKERS=3", "PATH=/bin"}, Flags: map[string]string{"rows": "5"}})
	if err != nil || fmt.Sprint(c.HTTP.Hosts) != "[a b]" || c.HTTP.Timeout != 90*time.Second || c.HTTP.Limit != 3<<29 || !c.HTTP.TLS.Insecure ||
		c.Admin.Password != "two\nlines" || c.Admin.PIN != 7 || c.Workers != 3 || c.Rows != 5 {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestAFileThatWasNamedMustBeThere(t *testing.T) {
	var c config
	_, err := settings.Load(&c, settings.Inputs{File: filepath.Join(t.TempDir(), "other.yaml")})
	if event.CodeOf(err) != event.Invalid || !strings.Contains(err.Error(), "other.yaml: the configuration file cannot be read: no such file") {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]settings.Size{"0": 0, "17": 17, "64MB": 64e6, "64 mb": 64e6, "1.5k": 1500, "2GiB": 2 << 30, "1TB": 1e12, "3b": 3, "1KiB": 1024} {
		if got, err := settings.ParseSize(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5", "1XB", "NaN", "Inf", "1e30GB", "1 2", "0x10", "1MBMB"} {
		if got, err := settings.ParseSize(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", "a: b", "http:\n  listen: x", "- a", "{", "a: &x b\nc: *x", "<<: {a: b}", "--- a\n--- b", "? [a]\n: b", "http: !!str x", "level: 'x\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "kith.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var c config
		_, err := settings.Load(&c, settings.Inputs{File: path})
		for _, e := range event.Errors(err) {
			if e.Code != event.Invalid || e.Place.File == "" {
				t.Errorf("%q: got %v", text, e)
			}
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"64MB", "1.5 GiB", "-1", "1e9k", "0x1p4MB", "9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := settings.ParseSize(text)
		if err == nil && size < 0 || err != nil && event.CodeOf(err) != event.Invalid {
			t.Errorf("%q: got %d, %v", text, size, err)
		}
	})
}
