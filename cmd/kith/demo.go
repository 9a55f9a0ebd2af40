package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kith/app"
	"kith/event"
	"kith/examples/shop"
	"kith/internal/settings"
)

type demoCommand struct {
	Listen    string `default:"127.0.0.1:8080" env:"KITH_HTTP_LISTEN" placeholder:"ADDRESS" help:"Where it is served; port 0 takes a free one."`
	Customers int    `default:"2400" help:"How many customers the shop has; each makes about 75 events."`
	Days      int    `default:"548" help:"How many days of history, at most 548."`
	Seed      uint64 `default:"1" help:"Another number makes another shop."`
	NoServe   bool   `help:"Stop when the shop is loaded and the questions are answered."`
}

// Help is shown by --help.
func (demoCommand) Help() string {
	return `The shop, Quillfern, is made up: nobody in it exists. The folder must be empty or a demo's; real data does not mix with it.`
}

// Run fills the folder, unless it is full, shows what can be asked, and serves it until it is interrupted.
func (d *demoCommand) Run(ctx context.Context, t *target, o *output) error {
	if d.Customers < 20 || d.Customers > 5_000_000 || d.Days < 1 || d.Days > shop.History {
		return event.Errorf(event.Usage, "a shop has 20 to 5,000,000 customers, and 1 to %d days", shop.History)
	}
	mark, err := d.open(t.Data)
	if err != nil {
		return err
	}
	config, err := d.config(t.Data, mark)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	err = runServer(ctx, config, func(a *app.App, url string) error {
		local := t.local(func() error { return nil })
		defer local.close()
		if err := mark.fill(ctx, local, url, o); err != nil {
			return err
		}
		report := demoReport{client: local, out: o.out, folder: t.Data, mark: mark}
		if err := report.print(ctx); err != nil {
			return err
		}
		if d.NoServe {
			stop()
			return nil
		}
		report.welcome(a, url)
		return nil
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return &event.Error{Code: event.Conflict, Message: "something else listens on " + d.Listen, Hint: "take another address, such as --listen 127.0.0.1:8090", Err: err}
	}
	return err
}

// demoMark is the file DEMO: what makes a folder a demo's, and what the demo needs when it is started again.
type demoMark struct {
	Shop      string            `json:"shop"`
	Seed      uint64            `json:"seed"`
	Customers int               `json:"customers"`
	Days      int               `json:"days"`
	End       time.Time         `json:"end"`
	Loaded    bool              `json:"loaded"` // the whole shop is in the folder
	Email     string            `json:"email,omitempty"`
	Password  string            `json:"password,omitempty"` // the one made up by the demo
	Keys      map[string]string `json:"keys"`               // write keys by source

	path   string
	resume bool // the folder was a demo's before
}

const (
	demoShop = "quillfern"
	demoUser = "demo@quillfern.test"
)

// open reads the folder's mark, or makes one in a folder that is new or empty.
func (d *demoCommand) open(folder string) (*demoMark, error) {
	mark := &demoMark{path: filepath.Join(folder, "DEMO")}
	text, err := os.ReadFile(mark.path)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, mark); err != nil || mark.Shop != demoShop {
			return nil, &event.Error{Code: event.Corrupt, Message: "this is no mark of a demo", Place: event.Place{File: mark.path}, Hint: "remove the folder and begin again"}
		}
		mark.resume = true
		return mark, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the demo's mark: %w", err)
	}
	if inside, err := os.ReadDir(folder); err == nil && len(inside) > 0 {
		return nil, &event.Error{Code: event.Conflict, Message: "the folder holds data that is not the demo's", Place: event.Place{File: folder},
			Hint: "name a folder of its own, such as --data data/demo"}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	*mark = demoMark{Shop: demoShop, Seed: d.Seed, Customers: d.Customers, Days: d.Days, End: time.Now().UTC().Truncate(time.Millisecond),
		Email: demoUser, Password: strings.ToLower(rand.Text()[:16]), Keys: map[string]string{}, path: mark.path}
	return mark, mark.save()
}

// save writes the mark, all of it or nothing.
func (m *demoMark) save() error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demo's mark: %w", err)
	}
	if err := os.WriteFile(m.path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the demo's mark: %w", err)
	}
	return os.Rename(m.path+".new", m.path)
}

func (m *demoMark) world() *shop.World {
	return shop.New(shop.Options{Seed: m.Seed, Customers: m.Customers, Days: m.Days, End: m.End})
}

// config is the server's: as configured, but that it listens where the demo is told, has an administrator, and is
// quiet about what goes well.
func (d *demoCommand) config(folder string, mark *demoMark) (app.Config, error) {
	config, all, err := app.LoadConfig("", map[string]string{"data": folder, "http.listen": d.Listen})
	if err != nil {
		return config, err
	}
	if isDefault(all, "log.level") {
		config.Log.Level = "warn"
	}
	if !mark.resume && config.Admin.Email != "" { // the environment names one
		mark.Email, mark.Password = config.Admin.Email, ""
		if err := mark.save(); err != nil {
			return config, err
		}
	}
	if mark.Password != "" {
		config.Admin.Email, config.Admin.Password = mark.Email, mark.Password
	}
	return config, nil
}

func isDefault(all []settings.Setting, name string) bool {
	for _, s := range all {
		if s.Name == name {
			return s.From == "default"
		}
	}
	return false
}
