package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kith/event"
	"kith/source/files"
)

type importCommand struct {
	File    string `arg:"" type:"existingfile" help:"A .csv, .tsv or .parquet file."`
	Map     string `required:"" type:"existingfile" placeholder:"FILE" help:"The mapping, YAML: what each column is."`
	Source  string `required:"" placeholder:"NAME" help:"The source that the events belong to; kith source create makes one."`
	DryRun  bool   `help:"Read and check the whole file, send nothing, and show the first events."`
	Preview int    `default:"3" help:"Events shown by --dry-run."`
}

// Help is shown by --help.
func (importCommand) Help() string {
	return `Example: kith import orders.csv --map orders.yaml --source shop
A file imported twice is imported once; a file that has grown adds its new rows. A mapping:

  event: Order Line
  timestamp: "{InvoiceDate}"
  zone: Europe/London
  user_id: "{CustomerID}"
  properties:
    order_id: "{InvoiceNo}"
    price: "{UnitPrice}"
    quantity: "{Quantity}"
  rest: true          # all other columns become properties

Rows that cannot be read are kept too, in clean.quarantine, with line and text.`
}

// Run imports the file.
func (i *importCommand) Run(ctx context.Context, t *target, o *output) error {
	mapping, err := files.LoadMapping(i.Map)
	if err != nil {
		return err
	}
	reader, err := files.Open(i.File, mapping)
	if err != nil {
		return err
	}
	defer reader.Close()
	if i.DryRun {
		return i.dryRun(reader, o)
	}
	return t.with(ctx, func(c *client) error {
		p := newProgress(o.err, "import", reader.Progress)
		sent, bad, err := sendRows(ctx, c, i.Source, reader, p)
		p.done()
		if err != nil {
			return err
		}
		fmt.Fprintf(o.out, "%d rows sent to source %s", sent, i.Source)
		if bad > 0 {
			fmt.Fprintf(o.out, "; %d of them could not be read and are in clean.quarantine", bad)
		}
		_, err = fmt.Fprintln(o.out)
		return err
	})
}

func (i *importCommand) dryRun(reader files.Reader, o *output) error {
	var rows, bad int64
	for {
		row, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		rows++
		if row.Bad != nil {
			bad++
			fmt.Fprintln(o.err, row.Bad)
		}
		if rows <= int64(i.Preview) {
			fmt.Fprintf(o.out, "%s\n", row.Event)
		}
	}
	_, err := fmt.Fprintf(o.out, "%d rows, %d of them cannot be read; nothing was sent\n", rows, bad)
	return err
}

// sendRows sends a reader's events in batches. Rows are idempotent by their message ids, so a batch whose answer was
// lost is simply sent again.
func sendRows(ctx context.Context, c *client, source string, reader files.Reader, p *progress) (sent, bad int64, err error) {
	s := newSender(ctx, c, "/api/v1/events?source="+source)
	for {
		row, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return sent, bad, errors.Join(err, s.close())
		}
		if row.Bad != nil {
			bad++
		}
		sent++
		if err := s.add(row.Event); err != nil {
			return sent, bad, errors.Join(err, s.close())
		}
		p.tick()
	}
	return sent, bad, s.close()
}

// progress draws one line that is written over: share, rate, time left.
type progress struct {
	out   io.Writer
	name  string
	state func() (done, total int64)
	began time.Time
	drawn time.Time
	ticks int64
	lines bool // out is no terminal: a line at the end, nothing before
}

func newProgress(out io.Writer, name string, state func() (done, total int64)) *progress {
	return &progress{out: out, name: name, state: state, began: time.Now(), lines: !isTerminal(out)}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tick counts one event and draws at most five times a second.
func (p *progress) tick() {
	p.ticks++
	if p.lines || p.ticks&255 != 0 || time.Since(p.drawn) < 200*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	p.draw()
}

func (p *progress) draw() {
	done, total := p.state()
	share, took := 1.0, time.Since(p.began)
	if total > 0 {
		share = float64(done) / float64(total)
	}
	left := time.Duration(float64(took) * (1 - share) / max(share, .001)).Round(time.Second)
	const width = 30
	bar := make([]rune, width)
	for i := range bar {
		bar[i] = '░'
		if float64(i) < share*width {
			bar[i] = '█'
		}
	}
	if p.lines {
		fmt.Fprintf(p.out, "%s: %d events in %s, %.0f/s", p.name, p.ticks, took.Round(time.Millisecond), float64(p.ticks)/took.Seconds())
		return
	}
	fmt.Fprintf(p.out, "\r%s %s %3.0f %%  %d events  %.0f/s  %s left \033[K", p.name, string(bar), share*100, p.ticks, float64(p.ticks)/took.Seconds(), left)
}

func (p *progress) done() {
	p.draw()
	fmt.Fprintln(p.out)
}

// retryable reports whether the same request may succeed later.
func retryable(err error) bool { return event.CodeOf(err).Retry() }
