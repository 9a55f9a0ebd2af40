// Package settings fills a configuration struct from its defaults, a YAML file, the environment and flags, each over the
// one before, and can say of every setting where its value came from.
//
// The struct is the whole declaration. A nested struct is a section; a setting's name is the path to it, joined by dots,
// and its environment variable the same in capitals behind KITH_:
//
//	type Config struct {
//		HTTP struct {
//			Listen string        `name:"listen" default:"127.0.0.1:8080" help:"Address to answer on."` // http.listen, KITH_HTTP_LISTEN
//			Limit  settings.Size `name:"limit" default:"8MB" help:"Largest request body."`
//		} `name:"http"`
//		Admin struct {
//			Password string `name:"password" secret:"true" help:"Password of the first administrator."`
//		} `name:"admin"`
//	}
//
// Types: string, bool, int, int64, time.Duration ("10s"), Size ("64MB") and []string (in the file a list; elsewhere
// separated by commas). enum:"a,b" names all values that a string may have. Numbers, sizes and durations are not
// negative. What is unknown or cannot be read is an *event.Error with its place and, where a name is near, a
// did-you-mean; Load returns all of them at once, joined.
package settings

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"kith/event"
)

const envPrefix = "KITH_"

// Inputs are where values come from beside the defaults.
type Inputs struct {
	File     string            // a YAML file; empty is none
	Optional bool              // File may be missing: it is the one in the data folder, nobody named it
	Environ  []string          // as of os.Environ
	Also     []string          // other environment variables that are Kith's but no setting, such as KITH_TOKEN
	Flags    map[string]string // values of the flags that were given, by the setting's name
}

// Setting is one setting as it stands.
type Setting struct {
	Name    string // "http.listen"
	Value   string // dots for a secret that is set
	From    string // "default", "kith.yaml:7", "KITH_HTTP_LISTEN", "--http-listen"
	Help    string
	Default string
	Env     string // the environment variable's name
	Secret  bool
}

// Load fills into, which points to a struct, and returns its settings in the order of the struct. After an error into
// is in part filled and must not be used.
func Load(into any, in Inputs) ([]Setting, error) {
	l := loader{fields: fieldsOf(into)}
	for _, f := range l.fields {
		f.from = "default"
		if err := f.set(f.def); err != nil {
			l.refuse(f, event.Place{}, f.def, err)
		}
	}
	if in.File != "" {
		l.file(in.File, in.Optional)
	}
	l.environment(in.Environ, in.Also)
	l.flags(in.Flags)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.explain(), nil
}

// Describe returns the settings of a struct with their defaults, for help and documents.
func Describe(of any) []Setting {
	l := loader{fields: fieldsOf(of)}
	for _, f := range l.fields {
		f.text, f.from = f.def, "default"
	}
	return l.explain()
}

type loader struct {
	fields []*field
	errs   []error
}

func (l *loader) explain() (all []Setting) {
	for _, f := range l.fields {
		value := f.text
		if f.secret && value != "" {
			value = "••••••"
		}
		all = append(all, Setting{Name: f.name, Value: value, From: f.from, Help: f.help, Default: f.def, Env: f.env(), Secret: f.secret})
	}
	return all
}

func (l *loader) find(name string) *field {
	for _, f := range l.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// take sets a field from one input; place says where the text stands.
func (l *loader) take(f *field, text, from string, place event.Place) {
	if err := f.set(text); err != nil {
		l.refuse(f, place, text, err)
		return
	}
	f.from = from
}

func (l *loader) refuse(f *field, place event.Place, text string, err *event.Error) {
	if f.secret {
		text = ""
	}
	err = err.At(f.name, text)
	err.Place.File, err.Place.Line = place.File, place.Line
	l.errs = append(l.errs, err)
}

func (l *loader) unknown(name string, place event.Place, known []string) {
	err := event.Errorf(event.Invalid, "there is no such setting").WithHint("%s", didYouMean(name, known))
	err.Place = event.Place{File: place.File, Line: place.Line, Path: name}
	l.errs = append(l.errs, err)
}

func (l *loader) names() (names []string) {
	for _, f := range l.fields {
		names = append(names, f.name)
	}
	return names
}

// environment takes the variables that begin with KITH_. An empty one counts as not given, as a compose file passes it.
func (l *loader) environment(environ, also []string) {
	known := slices.Clone(also)
	for _, f := range l.fields {
		known = append(known, f.env())
	}
	environ = slices.Sorted(slices.Values(environ))
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" || slices.Contains(also, name) || ofKubernetes(name) {
			continue
		}
		i := slices.IndexFunc(l.fields, func(f *field) bool { return f.env() == name })
		if i < 0 {
			l.unknown(name, event.Place{File: "environment"}, known)
			continue
		}
		l.take(l.fields[i], text, name, event.Place{File: name})
	}
}

// ofKubernetes reports whether Kubernetes sets the variable in every pod beside a service called kith.
func ofKubernetes(name string) bool {
	rest := strings.TrimPrefix(name, envPrefix)
	return rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_")
}

func (l *loader) flags(given map[string]string) {
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	for _, name := range names {
		flag := "--" + strings.ReplaceAll(name, ".", "-")
		if f := l.find(name); f != nil {
			l.take(f, given[name], flag, event.Place{File: flag})
		} else {
			l.unknown(name, event.Place{File: flag}, l.names())
		}
	}
}
