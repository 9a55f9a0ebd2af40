package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAnErrorReadsLikeACompiler(t *testing.T) {
	for want, err := range map[string]*Error{
		`shop.yaml:7: http.tiemout: unknown key; did you mean "timeout"?`: {Message: "unknown key", Place: Place{File: "shop.yaml", Line: 7, Path: "http.tiemout"}, Hint: `did you mean "timeout"?`},
		`orders.csv: is empty`:             {Message: "is empty", Place: Place{File: "orders.csv"}},
		`limit: is out of range (got "0")`: (&Error{Message: "is out of range"}).At("limit", "0"),
		`it broke`:                         {Message: "it broke"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAtCutsLongValuesBetweenCharacters(t *testing.T) {
	got := (&Error{}).At("name", strings.Repeat("ä", 100)).Place.Value
	if !utf8.ValidString(got) || len(got) > 84 || !strings.HasSuffix(got, "…") {
		t.Errorf("got %d bytes: %q", len(got), got)
	}
}

func TestErrorsAreFoundInsideOthers(t *testing.T) {
	one, two := Errorf(Conflict, "one"), Errorf(NotFound, "two")
	wrapped := fmt.Errorf("open: %w", errors.Join(fmt.Errorf("a: %w", one), two))
	if got := Errors(wrapped); len(got) != 2 || got[0] != one || got[1] != two {
		t.Errorf("got %v", got)
	}
	if got := CodeOf(wrapped); got != Conflict {
		t.Errorf("got %s", got)
	}
}

// TestWhatIsNoErrorKeepsItsText: the text of an error that nobody wrote for a person is for the log.
func TestWhatIsNoErrorKeepsItsText(t *testing.T) {
	for code, err := range map[Code]error{
		Internal: errors.New("password=secret"), Canceled: fmt.Errorf("x: %w", context.Canceled), TimedOut: context.DeadlineExceeded,
	} {
		got := Errors(err)
		if len(got) != 1 || got[0].Code != code || strings.Contains(got[0].Message, "secret") || got[0].Message == "" {
			t.Errorf("%v: got %+v", err, got)
		}
	}
	if Errors(nil) != nil {
		t.Error("no error has errors")
	}
}

func TestACauseStaysBehindItsError(t *testing.T) {
	cause := errors.New("disk")
	err := Errorf(Unavailable, "cannot write: %w", cause)
	if !errors.Is(err, cause) || err.Code.HTTP() != 503 || !err.Code.Retry() {
		t.Errorf("got %+v", err)
	}
}

// TestTheTableIsWhole looks at every code that there is: a new one without a row would be an Internal.
func TestTheTableIsWhole(t *testing.T) {
	for _, code := range []Code{Invalid, Usage, Unauthenticated, Forbidden, NotFound, NotAllowed, Conflict, TooLarge, TooMany, Resource, TimedOut, Unavailable, Canceled, Corrupt} {
		row := code.translation()
		if row.state == "XX000" || row.http < 400 || row.exit < 1 || row.exit > 2 || row.message == "" || len(row.state) != 5 {
			t.Errorf("%s: %+v", code, row)
		}
	}
	if Code("new").HTTP() != 500 {
		t.Error("an unknown code is not Internal")
	}
}
