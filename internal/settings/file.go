package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"kith/event"
)

// file takes the settings that stand in a YAML file.
func (l *loader) file(path string, optional bool) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && optional {
		return
	}
	if err != nil {
		l.errs = append(l.errs, &event.Error{Code: event.Invalid, Message: "the configuration file cannot be read: " + cause(err), Err: err,
			Place: event.Place{File: path}})
		return
	}
	l.yaml(path, text)
}

func cause(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// yaml takes the settings of a YAML text; path is what errors call it.
func (l *loader) yaml(path string, text []byte) {
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.errs = append(l.errs, syntax(path, err))
		return
	}
	r := reader{loader: l, path: path}
	for i, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			r.refuse(doc.Body, "", "must be one document; a second begins here", "")
			return
		}
		r.section(doc.Body, "")
	}
}

func syntax(path string, err error) error {
	e := &event.Error{Code: event.Invalid, Message: "this is not YAML", Err: err, Place: event.Place{File: path}}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		e.Message = "this is not YAML: " + at.GetMessage()
		e.Place.Line = at.GetToken().Position.Line
	}
	return e
}

// reader walks one file.
type reader struct {
	*loader
	path string
	seen []string
}

func (r *reader) place(n ast.Node) event.Place {
	place := event.Place{File: r.path}
	if t := n.GetToken(); t != nil && t.Position != nil {
		place.Line = t.Position.Line
	}
	return place
}

func (r *reader) refuse(n ast.Node, name, message, hint string) {
	e := &event.Error{Code: event.Invalid, Message: message, Hint: hint, Place: r.place(n)}
	e.Place.Path = name
	r.errs = append(r.errs, e)
}

// section reads the keys below a name; the whole file is the section of the empty name.
func (r *reader) section(n ast.Node, name string) {
	var entries []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode:
		return
	default:
		r.refuse(n, name, "must be a section of settings", "one setting a line, such as "+r.example(name))
		return
	}
	for _, entry := range entries {
		r.entry(entry, name)
	}
}

func (r *reader) entry(entry *ast.MappingValueNode, section string) {
	key, ok := scalar(entry.Key)
	if !ok {
		r.refuse(entry.Key, section, "a key must be a plain name", "")
		return
	}
	name := strings.TrimPrefix(section+"."+key, ".")
	if f := r.find(name); f != nil {
		r.value(f, entry)
		return
	}
	for _, known := range r.names() {
		if strings.HasPrefix(known, name+".") {
			r.section(entry.Value, name)
			return
		}
	}
	r.unknown(name, r.place(entry.Key), r.names())
}

func (r *reader) value(f *field, entry *ast.MappingValueNode) {
	for _, name := range r.seen {
		if name == f.name {
			r.refuse(entry.Key, f.name, "stands here a second time", "")
			return
		}
	}
	r.seen = append(r.seen, f.name)
	if _, null := entry.Value.(*ast.NullNode); null {
		return
	}
	text, ok := scalar(entry.Value)
	if sequence, isList := entry.Value.(*ast.SequenceNode); isList {
		if _, wanted := f.value.Interface().([]string); !wanted {
			r.refuse(entry.Value, f.name, "must be one value, not a list", "")
			return
		}
		text, ok = items(sequence)
	}
	if !ok {
		r.refuse(entry.Value, f.name, "must be a plain value", "")
		return
	}
	place := r.place(entry.Key)
	r.take(f, text, fmt.Sprintf("%s:%d", place.File, place.Line), place)
}

// items joins a list's values as they would stand in a flag.
func items(n *ast.SequenceNode) (string, bool) {
	var all []string
	for _, value := range n.Values {
		text, ok := scalar(value)
		if !ok || strings.Contains(text, ",") {
			return "", false
		}
		all = append(all, text)
	}
	return strings.Join(all, ","), true
}

// scalar returns a plain value as it is written. Numbers are kept as text: 0x10 and 1e3 are refused where they are
// read, as they would be in a flag.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// example is the first setting of a section.
func (r *reader) example(section string) string {
	for _, f := range r.fields {
		if rest, ok := strings.CutPrefix(f.name, section+"."); ok {
			return rest + ": " + f.def
		}
	}
	return "name: value"
}
