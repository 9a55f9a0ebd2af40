package query

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"kith/event"
	"kith/internal/duck"
)

// explain turns what DuckDB said into what the asker can use: the place in the query, the name of a damaged file, and
// no path of the server.
func explain(err error, text string, paths []string) error {
	var e *event.Error
	var f *duck.Failure
	if !errors.As(err, &e) || !errors.As(err, &f) {
		return err
	}
	shown := *e
	shown.Message = withoutFolders(e.Message, paths)
	if file := fileIn(shown.Message, paths); file != "" && damaged(f) {
		shown.Code = event.Corrupt
		shown.Place = event.Place{File: file}
		shown.Hint = damagedHint
		return &shown
	}
	if f.Position >= 0 {
		shown.Place = placeAt(text, f.Position)
	}
	if f.Code == event.Internal {
		shown.Message = "DuckDB failed inside: " + shown.Message
	}
	return &shown
}

// named is err with the file that it is about, where a file could not be read and DuckDB did not say which: search then
// looks for it. The two kinds are those that no query causes by what it says.
func named(ctx context.Context, err error, search func(context.Context) error) error {
	f := (*duck.Failure)(nil)
	if search == nil || !errors.As(err, &f) || event.CodeOf(err) == event.Corrupt || f.Kind != "IO" && f.Kind != "Invalid" {
		return err
	}
	e := (*event.Error)(nil)
	if found := search(ctx); !errors.As(found, &e) || e.Code != event.Corrupt {
		return err
	}
	shown := *e
	shown.Place.File = filepath.Base(e.Place.File)
	shown.Hint = damagedHint
	shown.Err = err
	return &shown
}

const damagedHint = "queries that do not need this file go on; kith verify checks all files"

// damaged reports whether a failure that names a file is the file's fault and not the query's.
func damaged(f *duck.Failure) bool {
	switch f.Kind {
	case "IO", "Permission", "Serialization", "Invalid Input", "Invalid":
		return true
	}
	return f.Code == event.Corrupt
}

// withoutFolders cuts the folders of paths out of a message; file names say enough.
func withoutFolders(message string, paths []string) string {
	var folders []string
	for _, path := range paths {
		if folder := filepath.Dir(path) + "/"; !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return len(b) - len(a) })
	for _, folder := range folders {
		message = strings.ReplaceAll(message, folder, "")
	}
	return message
}

// fileIn is the name of the file that message is about.
func fileIn(message string, paths []string) string {
	for _, path := range paths {
		if name := filepath.Base(path); strings.Contains(message, name) {
			return name
		}
	}
	return ""
}
