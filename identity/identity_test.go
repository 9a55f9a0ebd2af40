package identity_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"kith/event"
	"kith/identity"

	"pgregory.net/rapid"
)

func open(t testing.TB, dir string, length int64) *identity.Interner {
	t.Helper()
	n, err := identity.Open(dir, length, identity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func flush(t testing.TB, n *identity.Interner) int64 {
	t.Helper()
	length, err := n.Flush()
	if err != nil {
		t.Fatal(err)
	}
	return length
}

// id is an identifier of the oracle.
type id struct {
	kind  identity.Kind
	value string
}

// The interner against a plain list: whatever is numbered, flushed, lost in a crash and numbered again, each
// identifier has the number of its first appearance that was not lost.
func TestInternerIsAListOfFirstAppearances(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			rt.Fatal(err)
		}
		options := identity.Options{Buffer: rapid.SampledFrom([]int{1, 100, 1 << 20}).Draw(rt, "buffer")}
		n, err := identity.Open(dir, 0, options)
		if err != nil {
			rt.Fatal(err)
		}
		var born []id
		numbers := map[id]int64{}
		checkpoint, kept := int64(0), 0
		rt.Repeat(map[string]func(*rapid.T){
			"number": func(rt *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(rt, "n") {
					x := id{identity.Kind(rapid.IntRange(1, 4).Draw(rt, "kind")), rapid.StringOfN(rapid.RuneFrom([]rune("abü\x00")), 0, 6, -1).Draw(rt, "value")}
					want := numbers[x]
					if want == 0 {
						born = append(born, x)
						want = int64(len(born))
						numbers[x] = want
					}
					if got := n.Number(x.kind, []byte(x.value), event.Seq(len(born)*3)); got != want {
						rt.Fatalf("Number(%v) = %d, want %d", x, got, want)
					}
				}
			},
			"flush": func(rt *rapid.T) {
				if checkpoint, err = n.Flush(); err != nil {
					rt.Fatal(err)
				}
				kept = len(born)
			},
			"crash": func(rt *rapid.T) {
				n.Close()
				if n, err = identity.Open(dir, checkpoint, options); err != nil {
					rt.Fatal(err)
				}
				for _, x := range born[kept:] {
					delete(numbers, x)
				}
				born = born[:kept]
			},
			"": func(rt *rapid.T) {
				if n.Len() != int64(len(born)) {
					rt.Fatalf("Len() = %d, want %d", n.Len(), len(born))
				}
				if _, found := n.Find(identity.UserID, []byte("never seen")); found {
					rt.Fatal("found what was never seen")
				}
				if len(born) > 0 {
					i := rapid.IntRange(0, len(born)-1).Draw(rt, "birth")
					sameAsOracle(rt, n, born[i], int64(i+1))
				}
			},
		})
		for i, x := range born {
			sameAsOracle(rt, n, x, int64(i+1))
		}
		n.Close()
	})
}

func sameAsOracle(t *rapid.T, n *identity.Interner, x id, birth int64) {
	if got, found := n.Find(x.kind, []byte(x.value)); !found || got != birth {
		t.Fatalf("Find(%v) = %d, %v, want %d", x, got, found, birth)
	}
	if got, err := n.Value(birth); err != nil || got != (event.Identifier{Kind: x.kind.String(), Value: x.value}) {
		t.Fatalf("Value(%d) = %v, %v, want %v", birth, got, err, x)
	}
}

func TestAnchorIsTheStrongestIdentifier(t *testing.T) {
	n := open(t, t.TempDir(), 0)
	text := func(s string) event.Text { return event.Text(s) }
	for _, c := range []struct {
		name string
		e    event.Event
		want event.Identifier
		all  int64 // identifiers after it
	}{
		{"none", event.Event{}, event.Identifier{}, 0},
		{"anonymous", event.Event{AnonymousID: text("a1")}, event.Identifier{Kind: "anonymous_id", Value: "a1"}, 1},
		{"address before anonymous", event.Event{AnonymousID: text("a1"), Email: text("x@example.com")}, event.Identifier{Kind: "email", Value: "x@example.com"}, 2},
		{"user before all", event.Event{AnonymousID: text("a2"), Email: text("y@example.com"), UserID: text("u1")}, event.Identifier{Kind: "user_id", Value: "u1"}, 5},
		{"same text, other kind", event.Event{AnonymousID: text("u1")}, event.Identifier{Kind: "anonymous_id", Value: "u1"}, 6},
		{"alias of a known anonymous id", event.Event{UserID: text("u2"), PreviousID: text("a1")}, event.Identifier{Kind: "user_id", Value: "u2"}, 7},
		{"alias of a known user", event.Event{UserID: text("u2"), PreviousID: text("u1-old")}, event.Identifier{Kind: "user_id", Value: "u2"}, 8},
	} {
		anchor := n.Anchor(&c.e)
		got := event.Identifier{}
		if anchor != 0 {
			var err error
			if got, err = n.Value(anchor); err != nil {
				t.Fatal(err)
			}
		}
		if got != c.want || n.Len() != c.all {
			t.Errorf("%s: anchor %v and %d identifiers, want %v and %d", c.name, got, n.Len(), c.want, c.all)
		}
	}
}

func TestValueOfNobody(t *testing.T) {
	n := open(t, t.TempDir(), 0)
	n.Number(identity.UserID, []byte("u1"), 1)
	for _, birth := range []int64{-1, 0, 2} {
		if _, err := n.Value(birth); event.CodeOf(err) != event.NotFound {
			t.Errorf("Value(%d): %v", birth, err)
		}
	}
}

// written makes a file with two groups of facts within the checkpoint and one behind it.
func written(t testing.TB) (content []byte, checkpoint int64) {
	t.Helper()
	dir := t.TempDir()
	n := open(t, dir, 0)
	for i := range 5 {
		n.Number(identity.UserID, fmt.Appendf(nil, "user-%d", i), event.Seq(i*7+1))
		if i == 2 {
			flush(t, n)
		}
	}
	checkpoint = flush(t, n)
	for i := range 5 {
		n.Number(identity.AnonymousID, fmt.Appendf(nil, "anonymous-%d", i), event.Seq(i+100))
	}
	flush(t, n)
	content, err := os.ReadFile(filepath.Join(dir, "facts.log"))
	if err != nil {
		t.Fatal(err)
	}
	return content, checkpoint
}

func openContent(t testing.TB, dir string, content []byte, length int64) (*identity.Interner, error) {
	t.Helper()
	path := filepath.Join(dir, "facts.log")
	os.Remove(path) // a file cut to nothing and written again would be flushed to the disk by some file systems
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := identity.Open(dir, length, identity.Options{})
	if n != nil {
		t.Cleanup(func() { n.Close() }) // a second Close does no harm
	}
	return n, err
}

func TestWhatIsBehindTheCheckpointDoesNotCount(t *testing.T) {
	content, checkpoint := written(t)
	dir := t.TempDir()
	for cut := checkpoint; cut <= int64(len(content)); cut++ {
		n, err := openContent(t, dir, content[:cut], checkpoint)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if n.Len() != 5 {
			t.Fatalf("cut at %d: %d identifiers, want 5", cut, n.Len())
		}
		if got := n.Number(identity.AnonymousID, []byte("new"), 99); got != 6 {
			t.Fatalf("cut at %d: the next number is %d, want 6", cut, got)
		}
		n.Close()
	}
}

func TestDamageWithinTheCheckpointIsNamed(t *testing.T) {
	content, checkpoint := written(t)
	dir := t.TempDir()
	check := func(name string, content []byte, length int64) {
		t.Helper()
		_, err := openContent(t, dir, content, length)
		var e *event.Error
		if !errors.As(err, &e) || e.Code != event.Corrupt {
			t.Errorf("%s: %v, want a Corrupt error", name, err)
		}
	}
	for i := range checkpoint {
		flipped := append([]byte(nil), content...)
		flipped[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("bit flipped in byte %d", i), flipped, checkpoint)
	}
	for cut := range checkpoint {
		check(fmt.Sprintf("cut at %d", cut), content[:cut], checkpoint)
	}
	check("checkpoint within a group", content, checkpoint-1)
	check("an identifier twice", append(content[:checkpoint:checkpoint], content[32:checkpoint]...), 2*checkpoint-32)
}

func TestANewerFormatIsRefused(t *testing.T) {
	content, checkpoint := written(t)
	dir := t.TempDir()
	content[8] = 2
	reseal(content)
	_, err := openContent(t, dir, content, checkpoint)
	if event.CodeOf(err) != event.Invalid {
		t.Errorf("%v, want an Invalid error that names both versions", err)
	}
}

func TestAFailedWriteIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, 0)
	n.Number(identity.UserID, []byte("u1"), 1)
	n.Close() // every write fails from here on
	if _, err := n.Flush(); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Flush on a closed file: %v", err)
	}
	n.Number(identity.UserID, []byte("u2"), 2)
	for birth, want := range map[int64]string{1: "u1", 2: "u2"} {
		if got, err := n.Value(birth); err != nil || got.Value != want {
			t.Errorf("Value(%d) = %v, %v, want %s", birth, got, err, want)
		}
	}
	if err := n.Sync(); err == nil {
		t.Fatal("Sync on a closed file succeeded")
	}
	if _, err := n.Flush(); err == nil {
		t.Error("Flush after a failed Sync succeeded")
	}
}

// Run with -race: Number in one goroutine, everything else in others.
func TestOtherGoroutinesMayLook(t *testing.T) {
	n, err := identity.Open(t.TempDir(), 0, identity.Options{Buffer: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	const all = 3000
	done := make(chan struct{})
	results := make(chan error, 2)
	go func() {
		for seen := int64(0); ; {
			select {
			case <-done:
				results <- nil
				return
			default:
			}
			if birth, found := n.Find(identity.UserID, fmt.Appendf(nil, "u%d", seen)); found {
				value, err := n.Value(birth)
				if err != nil || birth != seen+1 || value.Value != fmt.Sprintf("u%d", seen) {
					results <- fmt.Errorf("u%d has number %d and value %v: %v", seen, birth, value, err)
					return
				}
				seen++
			}
		}
	}()
	go func() {
		for {
			select {
			case <-done:
				results <- nil
				return
			default:
			}
			_, err := n.Flush()
			if err := errors.Join(err, n.Sync()); err != nil {
				results <- err
				return
			}
		}
	}()
	for i := range all {
		n.Number(identity.UserID, fmt.Appendf(nil, "u%d", i), event.Seq(i))
	}
	close(done)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n.Len() != all {
		t.Errorf("%d identifiers, want %d", n.Len(), all)
	}
}
