package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Error is what a person reads when something is refused. It is made where the reason is known; on its way out it
// is wrapped like any error (fmt.Errorf("open journal %s: %w", dir, err)), and a door finds it again by Errors.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for the person who can do something about it
	Place   Place  `json:"place,omitzero"`
	Hint    string `json:"hint,omitempty"` // what to do
	Err     error  `json:"-"`              // the cause, for the log; never shown outside
}

// Place says where: whichever of these is known.
type Place struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`  // counted from 1
	Path  string `json:"path,omitempty"`  // a field: "batch[3].timestamp"
	Value string `json:"value,omitempty"` // what stood there, shortened
}

// Errorf makes an Error that has no place. A %w in format becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint returns e with what the reader can do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// At returns e with the field it is about and what stood there, cut at 80 bytes.
func (e *Error) At(path, value string) *Error {
	if len(value) > 80 {
		value = strings.ToValidUTF8(value[:80], "") + "…"
	}
	e.Place.Path, e.Place.Value = path, value
	return e
}

// Error reads like a compiler: shop.yaml:7: source.tiemout: unknown key; did you mean "timeout"?
func (e *Error) Error() string {
	text := e.Message
	if e.Place.Path != "" {
		text = e.Place.Path + ": " + text
	}
	if e.Place.File != "" && e.Place.Line > 0 {
		text = fmt.Sprintf("%s:%d: %s", e.Place.File, e.Place.Line, text)
	} else if e.Place.File != "" {
		text = e.Place.File + ": " + text
	}
	if e.Place.Value != "" {
		text += fmt.Sprintf(" (got %q)", e.Place.Value)
	}
	return strings.TrimSuffix(text+"; "+e.Hint, "; ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors lists every Error in err, so that a person sees all that is wrong at once. What is not an Error is shown
// by its code alone: its text belongs in the log.
func Errors(err error) (all []*Error) {
	switch x := err.(type) {
	case nil:
		return nil
	case *Error:
		return []*Error{x}
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			all = append(all, Errors(e)...)
		}
		return all
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return Errors(errors.Unwrap(err))
	}
	code := CodeOf(err)
	return []*Error{{Code: code, Message: code.translation().message, Err: err}}
}

// CodeOf returns the code of the first Error in err. The context's errors have theirs; all others are Internal.
func CodeOf(err error) Code {
	switch e := (*Error)(nil); {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Internal
}
