package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// diary is what the parts of a test write down.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) part(name string, fail error) Part {
	return Part{name, func(ctx context.Context, ready func()) error {
		d.write("+" + name)
		if fail != nil {
			return fail
		}
		ready()
		<-ctx.Done()
		d.write("-" + name)
		return ctx.Err()
	}}
}

func group(parts ...Part) *Group {
	return &Group{Parts: parts, Grace: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

func TestPartsStopInReverse(t *testing.T) {
	d := &diary{}
	ctx, cancel := context.WithCancel(context.Background())
	g := group(d.part("a", nil), d.part("b", nil), Part{"c", func(ctx context.Context, ready func()) error {
		ready()
		cancel()
		<-ctx.Done()
		return nil
	}})
	if err := g.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"+a", "+b", "-b", "-a"}; !slices.Equal(d.lines, want) {
		t.Errorf("got %v, want %v", d.lines, want)
	}
	if g.Ready() {
		t.Error("still ready")
	}
}

func TestAFailureStopsAll(t *testing.T) {
	d, boom := &diary{}, errors.New("boom")
	err := group(d.part("a", nil), d.part("b", boom), d.part("c", nil)).Run(context.Background())
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "b: ") {
		t.Errorf("got %v", err)
	}
	if want := []string{"+a", "+b", "-a"}; !slices.Equal(d.lines, want) {
		t.Errorf("got %v, want %v", d.lines, want)
	}
}

func TestAPartMayNotEndByItself(t *testing.T) {
	err := group(Part{"a", func(_ context.Context, ready func()) error { ready(); return nil }}).Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "a: ended by itself") {
		t.Errorf("got %v", err)
	}
}

func TestWhoHangsIsNamed(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	defer close(release)
	g := group(Part{"stuck", func(_ context.Context, ready func()) error {
		ready()
		cancel()
		<-release
		return nil
	}})
	g.Grace = time.Millisecond
	if err := g.Run(ctx); err == nil || !strings.Contains(err.Error(), "stuck: did not stop") {
		t.Errorf("got %v", err)
	}
}
