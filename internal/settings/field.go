package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"kith/event"
)

// field is one setting of the struct.
type field struct {
	name, help, def string
	enum            []string
	secret          bool
	value           reflect.Value
	text            string // what it was set to
	from            string
}

// fieldsOf reads the declaration. A mistake in it is the programmer's and panics.
func fieldsOf(into any) []*field {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("settings: %T is no pointer to a struct", into))
	}
	return walk(v.Elem(), "")
}

func walk(v reflect.Value, section string) (all []*field) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		name := tag.Get("name")
		if name == "" {
			panic(fmt.Sprintf("settings: %s.%s has no name", v.Type(), v.Type().Field(i).Name))
		}
		if v.Field(i).Kind() == reflect.Struct {
			all = append(all, walk(v.Field(i), section+name+".")...)
			continue
		}
		f := &field{name: section + name, help: tag.Get("help"), def: tag.Get("default"), secret: tag.Get("secret") == "true", value: v.Field(i)}
		if enum := tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, ",")
		}
		all = append(all, f)
	}
	return all
}

func (f *field) env() string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(f.name))
}

// set reads text into the struct's field. An empty text is the zero value.
func (f *field) set(text string) *event.Error {
	trimmed := strings.TrimSpace(text)
	switch into := f.value.Addr().Interface().(type) {
	case *string:
		if err := f.among(text); err != nil {
			return err
		}
		*into = text
	case *bool:
		on, err := parse(trimmed, strconv.ParseBool)
		if err != nil {
			return wrong("must be true or false", "")
		}
		*into = on
	case *int:
		n, err := parse(trimmed, strconv.Atoi)
		if err != nil || n < 0 {
			return wrong("must be a whole number, 0 or more", "")
		}
		*into = n
	case *int64:
		n, err := parse(trimmed, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
		if err != nil || n < 0 {
			return wrong("must be a whole number, 0 or more", "")
		}
		*into = n
	case *time.Duration:
		d, err := parse(trimmed, time.ParseDuration)
		if err != nil || d < 0 {
			return wrong("must be a duration, 0 or more", `such as "500ms", "10s" or "2h"`)
		}
		*into = d
	case *Size:
		size, err := parse(trimmed, ParseSize)
		if err != nil {
			return wrong("must be a size", `such as "500KB", "64MB" or "2GiB"`)
		}
		*into = size
	case *[]string:
		*into = list(text)
	default:
		panic(fmt.Sprintf("settings: %s is a %s, which is no type of a setting", f.name, f.value.Type()))
	}
	f.text = text
	return nil
}

func (f *field) among(text string) *event.Error {
	for _, allowed := range f.enum {
		if text == allowed {
			return nil
		}
	}
	if f.enum == nil {
		return nil
	}
	return wrong("must be one of "+strings.Join(f.enum, ", "), nearOnly(text, f.enum))
}

func wrong(message, hint string) *event.Error {
	return &event.Error{Code: event.Invalid, Message: message, Hint: hint}
}

func parse[T any](text string, read func(string) (T, error)) (value T, err error) {
	if text == "" {
		return value, nil
	}
	return read(text)
}

func list(text string) (all []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// Size is a number of bytes, written with a unit: B, KB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB of 1024.
// Capitals and a space before the unit do not matter.
type Size int64

// ParseSize reads a size. A number without a unit is bytes. Fractions need a unit: "1.5GB".
func ParseSize(text string) (Size, error) {
	number := strings.TrimRight(text, "kKmMgGtTiIbB ")
	unit := strings.ToLower(strings.TrimSpace(text[len(number):]))
	n, err := strconv.ParseFloat(number, 64)
	factor, known := factorOf(unit)
	bytes := n * factor
	if err != nil || !known || bytes < 0 || bytes >= 1<<62 || bytes != bytes || unit == "" && bytes != float64(int64(bytes)) {
		return 0, event.Errorf(event.Invalid, "%q is no size", text)
	}
	return Size(bytes), nil
}

func factorOf(unit string) (factor float64, known bool) {
	switch unit {
	case "", "b":
		return 1, true
	case "k", "kb":
		return 1e3, true
	case "m", "mb":
		return 1e6, true
	case "g", "gb":
		return 1e9, true
	case "t", "tb":
		return 1e12, true
	case "kib":
		return 1 << 10, true
	case "mib":
		return 1 << 20, true
	case "gib":
		return 1 << 30, true
	case "tib":
		return 1 << 40, true
	}
	return 0, false
}
