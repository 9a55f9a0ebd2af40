package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKill kills the real server under load again and again, at the moments that aims names, and now and then in the
// middle of a start; once in a while it stops it instead. After each kill the checking reader must have an answer that is right; at the end raw.events holds
// every acknowledged event at least once, clean.events exactly once, and what the journal makes anew is the same.
func TestKill(t *testing.T) {
	slow(t)
	kills := number("KITH_KILLS", 10)
	all := aims()
	g := besiege(t, t.TempDir(), all[0].flags...)
	r := g.begin()
	if err := r.wait(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	done := map[string]int{}
	for i := range kills {
		a := all[i%len(all)]
		g.strike(a, rng, g.s.kill)
		done[a.name]++
		switch i % 4 {
		case 1:
			g.stopUnderLoad(r)
			done["(stopped, not killed)"]++
		case 3:
			g.killStart(rng)
			done["start"]++
		}
		g.restart(all[(i+1)%len(all)])
		if err := r.wait(30 * time.Second); err != nil {
			t.Fatalf("after kill %d, at %s: %v", i+1, a.name, err)
		}
	}
	g.finish(r)
	table := "kills"
	for _, a := range append(all, aim{name: "start"}, aim{name: "(stopped, not killed)"}) {
		table += fmt.Sprintf("\n%22s %4d", a.name, done[a.name])
	}
	t.Log(table + g.tally(r))
}

func number(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// strike waits for the moment and does harm, at once or up to 3 ms later.
func (g *siege) strike(a aim, rng *rand.Rand, harm func()) {
	g.t.Helper()
	w, err := a.watch(g.s.data)
	if err != nil {
		g.t.Fatal(err)
	}
	defer w.close()
	if err := w.wait(rng.IntN(a.skip+1), 20*time.Second); err != nil {
		g.t.Fatal(err)
	}
	if rng.IntN(2) == 0 {
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
	}
	harm()
	g.closed()
	g.check()
}

// restart starts the server for the next aim.
func (g *siege) restart(a aim) {
	g.t.Helper()
	g.ledger.history.Store(a.history)
	g.s.flags = a.flags
	if err := g.s.start(); err != nil {
		g.t.Fatal(err)
	}
	g.opened()
}

// killStart starts the server and kills it while it is coming up, or just when it is up.
func (g *siege) killStart(rng *rand.Rand) {
	g.t.Helper()
	cmd := exec.Command(binary(g.t), append([]string{"serve", "--data", g.s.data, "--http-listen", "127.0.0.1:0"}, g.s.flags...)...)
	cmd.Env = cleanEnv()
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	time.Sleep(time.Duration(rng.IntN(250)) * time.Millisecond)
	cmd.Process.Kill()
	cmd.Wait()
}

// stopUnderLoad starts the server and ends it as a supervisor does, in the middle of the load.
func (g *siege) stopUnderLoad(r *reader) {
	g.t.Helper()
	g.restart(aim{flags: g.s.flags})
	if err := r.wait(30 * time.Second); err != nil {
		g.t.Fatal(err)
	}
	g.s.stop()
	g.closed()
	if code := g.s.cmd.ProcessState.ExitCode(); code != 0 {
		g.t.Errorf("a server that was stopped ended with exit code %d: %s", code, g.s.log)
	}
}

// finish sends what nobody has answered for, and compares everything by message id.
func (g *siege) finish(r *reader) {
	g.t.Helper()
	g.end()
	g.check()
	g.drain()
	ctx := g.t.Context()
	if err := r.look(ctx, g.s.url); err != nil {
		g.t.Fatalf("at the end: %v", err)
	}
	clean := g.compare("SELECT source, message_id FROM clean.events", true)
	raw := g.compare("SELECT source, event->>'$.messageId' FROM raw.events", false)
	if all, _ := g.ledger.sent(); clean != all {
		g.wrongs++
		g.t.Errorf("clean.events has %d rows, of %d events that were sent", clean, all)
	}
	r.raw = raw
	for _, what := range []string{"", "rebuild"} {
		out, err := g.s.try(strings.Fields("verify " + what)...)
		if err != nil {
			g.wrongs++
			g.t.Error(err)
		}
		g.t.Log(out)
	}
}

func (g *siege) drain() {
	g.t.Helper()
	for source := range sourceNames {
		for {
			g.ledger.mu.Lock()
			left := len(g.ledger.unsure[source])
			g.ledger.mu.Unlock()
			if left == 0 {
				break
			}
			batch := g.ledger.take(source, 500, time.Now())
			path, body := g.ledger.body(batch, time.Now())
			if err := g.post(g.t.Context(), g.s.url+path, g.keys[source], body); err != nil {
				g.t.Fatalf("resend at the end: %v", err)
			}
			g.ledger.ack(batch)
		}
	}
}

// compare holds a table of source and message id against the ledger and returns how many rows it has.
func (g *siege) compare(query string, once bool) int {
	g.t.Helper()
	lines, err := g.query(g.t.Context(), g.s.url, query)
	if err != nil {
		g.t.Fatalf("%s: %v", query, err)
	}
	var there set
	wrong := 0
	say := func(format string, args ...any) {
		g.wrongs++
		if wrong++; wrong <= 10 {
			g.t.Errorf(format, args...)
		}
	}
	for _, line := range lines {
		source, id, _ := strings.Cut(line, ",")
		n := g.ledger.number(source, id)
		if n < 0 {
			say("%s: %q was never sent", query, line)
			continue
		}
		if !there.add(n) && once {
			say("%s: %q stands twice", query, line)
		}
	}
	for _, n := range g.ledger.acked() {
		if !there.has(n) {
			say("%s: m-%07d of %s was acknowledged and is not there", query, n/2, sourceNames[n%2])
		}
	}
	if wrong > 10 {
		g.t.Errorf("%s: %d rows are wrong", query, wrong)
	}
	return len(lines)
}

// tally is what happened, for people.
func (g *siege) tally(r *reader) string {
	l := g.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf(`
%22s %d
%22s %d without an answer, %d all the same
%22s %d
%22s %d
%22s %d`, "events acknowledged", len(l.acks), "resent", l.resent, l.again, "duplicates dropped", r.raw-r.count, "reader's answers", r.answers.Load(), "wrong", g.wrongs)
}
