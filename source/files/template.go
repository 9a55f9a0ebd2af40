package files

import (
	"slices"
	"strings"

	"kith/event"
)

// template is text with columns in it, "order {InvoiceNo}": literals[0] column[0] literals[1] …
type template struct {
	literals []string
	columns  []int
}

// parseTemplate finds the columns that the text names. Two braces stand for one: "{{" is "{".
func parseTemplate(text, path string, columns []string, used []bool) (t template, err error) {
	literal := ""
	for text != "" {
		open := strings.IndexAny(text, "{}")
		if open < 0 {
			break
		}
		literal += text[:open]
		if strings.HasPrefix(text[open:], "{{") || strings.HasPrefix(text[open:], "}}") {
			literal += text[open : open+1]
			text = text[open+2:]
			continue
		}
		name, after, closed := strings.Cut(text[open+1:], "}")
		if text[open] == '}' || !closed {
			return t, event.Errorf(event.Invalid, "has a brace without its partner").At(path, text).WithHint(`"{Column}" is a column, "{{" a brace`)
		}
		index := slices.Index(columns, name)
		if index < 0 {
			return t, event.Errorf(event.Invalid, "there is no column %q in the file", name).At(path, text).WithHint("its columns are %s", strings.Join(columns, ", "))
		}
		used[index] = true
		t.literals, t.columns = append(t.literals, literal), append(t.columns, index)
		literal, text = "", after
	}
	t.literals = append(t.literals, literal+text)
	return t, nil
}

// value returns what the template says of a row, absent if one of its columns is. One column alone keeps its type.
func (t template) value(cells []cell, text []byte) (cell, []byte) {
	if len(t.columns) == 1 && t.literals[0] == "" && t.literals[1] == "" {
		return cells[t.columns[0]], text
	}
	start := len(text)
	for i, column := range t.columns {
		if cells[column].kind == absent {
			return cell{}, text[:start]
		}
		text = append(append(text, t.literals[i]...), cells[column].text...)
	}
	text = append(text, t.literals[len(t.columns)]...)
	return cell{isText, text[start:]}, text
}
