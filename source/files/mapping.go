package files

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"kith/event"
)

// Mapping says what the columns of a file are. Texts are templates: "{Column}" is that column's value with its type,
// "order {Column}" is text; a row in which a template's column is empty does not get that member.
//
//	event: Order Line
//	timestamp: "{InvoiceDate}"
//	format: "2006-01-02 15:04:05"
//	zone: Europe/London
//	user_id: "{CustomerID}"
//	properties:
//	  order_id: "{InvoiceNo}"
//	  price: "{UnitPrice}"
//	rest: true
type Mapping struct {
	Type        string            `yaml:"type"`         // track, identify, page, …; track unless it says otherwise
	Event       string            `yaml:"event"`        // of a track: its name
	Name        string            `yaml:"name"`         // of a page or screen
	Timestamp   string            `yaml:"timestamp"`    // when it happened; without it, when it is imported
	Format      string            `yaml:"format"`       // of a timestamp in text, as Go writes layouts; RFC 3339 and "2006-01-02 15:04:05" need none
	Zone        string            `yaml:"zone"`         // of timestamps that name none; UTC unless it says otherwise
	UserID      string            `yaml:"user_id"`      // who
	AnonymousID string            `yaml:"anonymous_id"` // who, before they said so
	GroupID     string            `yaml:"group_id"`     // the account
	Traits      map[string]string `yaml:"traits"`       // what is said about the person
	Properties  map[string]string `yaml:"properties"`   // what is said about the event
	Numbers     []string          `yaml:"numbers"`      // columns of a CSV that are numbers; those of typed members are anyway
	Rest        bool              `yaml:"rest"`         // columns that nothing names become properties under their own names
	Delimiter   string            `yaml:"delimiter"`    // of a CSV; found in the header unless it says otherwise
	Decimal     string            `yaml:"decimal"`      // the decimal separator of a CSV's numbers: "." or ","
}

// LoadMapping reads a mapping from a YAML file. Unknown keys and values that cannot be are errors with their line.
func LoadMapping(path string) (*Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &event.Error{Code: event.NotFound, Message: "cannot be read: " + reason(err), Place: event.Place{File: path}, Err: err}
	}
	m, err := ParseMapping(text)
	if e := (*event.Error)(nil); errors.As(err, &e) {
		e.Place.File = path
	}
	return m, err
}

// ParseMapping reads a mapping from YAML.
func ParseMapping(text []byte) (*Mapping, error) {
	m := &Mapping{Type: "track", Decimal: "."}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(m)
	if err != nil && err != io.EOF {
		return nil, &event.Error{Code: event.Invalid, Message: yaml.FormatError(err, false, false), Err: err}
	}
	if m.Type == "track" && m.Event == "" {
		return nil, event.Errorf(event.Invalid, "a track needs the name of what happened").At("event", "").WithHint(`add a line such as  event: Order Line`)
	}
	if m.Decimal != "." && m.Decimal != "," {
		return nil, event.Errorf(event.Invalid, `is not a decimal separator; "." and "," are`).At("decimal", m.Decimal)
	}
	if len([]rune(m.Delimiter)) > 1 {
		return nil, event.Errorf(event.Invalid, "is more than one character").At("delimiter", m.Delimiter)
	}
	if _, err := time.LoadLocation(m.Zone); err != nil {
		return nil, event.Errorf(event.Invalid, "is not a time zone").At("zone", m.Zone).WithHint("zones are named as in Europe/Berlin")
	}
	return m, nil
}
