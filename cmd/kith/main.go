// Command kith is the product: the server and every command that speaks to one. One file is one command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"kith/event"
	"kith/internal/duck"
)

// version is set by the linker in a release.
var version = "dev" //nolint:gochecknoglobals // written by -ldflags only

type commands struct {
	target

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Demo       demoCommand       `cmd:"" help:"Fill a folder with the demo shop and serve it."`
	Import     importCommand     `cmd:"" help:"Import a CSV or Parquet file with a mapping."`
	SQL        sqlCommand        `cmd:"" name:"sql" help:"Ask a question in SQL."`
	Source     sourceCommand     `cmd:"" help:"Sources and their write keys."`
	Token      tokenCommand      `cmd:"" help:"API tokens."`
	User       userCommand       `cmd:"" help:"Users."`
	Status     statusCommand     `cmd:"" help:"Counts of a running server."`
	Quarantine quarantineCommand `cmd:"" help:"What was refused, and why."`
	Lake       lakeCommand       `cmd:"" help:"Maintenance of the lake, by hand."`
	Verify     verifyCommand     `cmd:"" help:"Check what lies in the data folder."`
	Config     configCommand     `cmd:"" help:"The configuration and where each value comes from."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	DuckWorker duckWorkerCommand `cmd:"" name:"duck-worker" hidden:""`
}

func main() {
	log.SetOutput(io.Discard) // iceberg-go writes there what is no matter, such as old metadata that is gone already
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: what the arguments ask for, and the exit code (0 ok, 1 failed, 2 wrong use).
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	c.Serve.plugins()
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("kith"), kong.Description("A self-hosted customer data platform."), kong.UsageOnError(),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }),
		kong.Bind(&output{stdout, stderr}), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(stderr, "kith:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help
		return min(exit, 2)
	}
	if err != nil {
		parser.FatalIfErrorf(err)
		return 2
	}
	parsed.Bind(&c.target)
	if err := parsed.Run(); err != nil {
		return report(stderr, err)
	}
	return 0
}

// output is where a command writes.
type output struct{ out, err io.Writer }

// report prints every error with its place and hint, and returns the exit code of the first.
func report(stderr io.Writer, err error) int {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "kith: interrupted")
		return 1
	}
	known := (*event.Error)(nil)
	if !errors.As(err, &known) {
		fmt.Fprintln(stderr, "kith:", err)
		return 1
	}
	for _, e := range event.Errors(err) {
		fmt.Fprintln(stderr, "kith:", e)
	}
	return known.Code.Exit()
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(o *output) error {
	_, err := fmt.Fprintln(o.out, "kith", version)
	return err
}

// duckWorkerCommand is what the server starts itself as, for a query.
type duckWorkerCommand struct{}

// Run becomes the query process.
func (duckWorkerCommand) Run() error {
	os.Exit(duck.Main())
	return nil
}
