package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"kith/event"
)

// placeAt is the place of a byte of the query: its line, its column in characters from 1, and the token there.
func placeAt(text string, at int) event.Place {
	if at < 0 || at > len(text) {
		return event.Place{}
	}
	line := 1 + strings.Count(text[:at], "\n")
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	s := scanner{text: text, to: at}
	value := ""
	if s.next() && s.from == at {
		value = s.token()
	}
	place := (&event.Error{}).At(fmt.Sprintf("column %d", 1+utf8.RuneCountInString(text[begin:at])), value).Place
	place.File, place.Line = "query", line
	return place
}
