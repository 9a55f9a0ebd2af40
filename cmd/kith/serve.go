package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"kith/app"
	"kith/internal/settings"
)

// settingFlags is every setting as a flag, made from the configuration's own declaration. Data has a flag already.
type settingFlags struct {
	kong.Plugins
	names []string
}

// plugins makes a struct with one *string field for each setting: nil is a flag that was not given.
func (s *settingFlags) plugins() {
	var fields []reflect.StructField
	for _, setting := range settings.Describe(&app.Config{}) {
		if setting.Name == "data" {
			continue
		}
		flag := strings.NewReplacer(".", "-", "_", "-").Replace(setting.Name)
		help := fmt.Sprintf("%s [%s; %s]", setting.Help, setting.Default, setting.Env)
		tag := fmt.Sprintf(`name:%q help:%q placeholder:"VALUE"`, flag, help)
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("S%d", len(fields)), Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)})
		s.names = append(s.names, setting.Name)
	}
	s.Plugins = kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// given returns the flags that were, by setting name.
func (s *settingFlags) given(data string) map[string]string {
	all := map[string]string{"data": data}
	v := reflect.ValueOf(s.Plugins[0]).Elem()
	for i, name := range s.names {
		if p := v.Field(i).Interface().(*string); p != nil {
			all[name] = *p
		}
	}
	return all
}

type serveCommand struct {
	settingFlags
	Config string `env:"KITH_CONFIG" placeholder:"FILE" help:"The configuration file; kith.yaml in the data folder if it is not named."`
}

// Run serves until it is interrupted.
func (s *serveCommand) Run(ctx context.Context, t *target, o *output) error {
	config, _, err := app.LoadConfig(s.Config, s.given(t.Data))
	if err != nil {
		return err
	}
	return runServer(ctx, config, func(a *app.App, url string) error {
		fmt.Fprintf(o.out, "kith %s serves %s at %s\n", version, config.Data, url)
		if link, needed := a.SetupURL(url); needed {
			fmt.Fprintf(o.out, "nobody can log in yet; make the first administrator at %s\n", link)
		}
		return nil
	})
}

// runServer runs a server and calls up when it answers; when that fails the server stops.
func runServer(ctx context.Context, config app.Config, up func(a *app.App, url string) error) error {
	a, err := app.Open(ctx, config, app.WithVersion(version))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case <-a.Started():
	case err := <-ended:
		return err
	}
	debug.FreeOSMemory() // a third of what is resident now was needed by the start alone
	if err := up(a, a.URL()); err != nil {
		stop()
		<-ended
		return err
	}
	return <-ended
}

type configCommand struct {
	Print configPrint `cmd:"" help:"Print every setting, its value and where that comes from."`
}

type configPrint struct {
	formatFlag
	Config string `env:"KITH_CONFIG" placeholder:"FILE" help:"The configuration file; kith.yaml in the data folder if it is not named."`
}

// Run prints the configuration as serve would read it. Secrets are dots.
func (c *configPrint) Run(t *target, o *output) error {
	flags := map[string]string{}
	if _, fromEnvironment := os.LookupEnv("KITH_DATA"); !fromEnvironment {
		flags["data"] = t.Data
	}
	_, all, err := app.LoadConfig(c.Config, flags)
	if err != nil {
		return err
	}
	rows := newTable("setting", "value", "from", "what it is")
	for _, s := range all {
		rows.add(s.Name, s.Value, s.From, s.Help)
	}
	return rows.print(o.out, c.Format)
}
