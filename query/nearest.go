package query

import (
	"slices"
	"strings"

	"kith/internal/spelling"
)

// nearest is the word of list that word was probably meant to be; "" if none is near.
func nearest(word string, list map[string]bool) string {
	words := make([]string, 0, len(list))
	for w := range list {
		words = append(words, w)
	}
	slices.Sort(words)
	best, least := "", 1+min(len(word)/3, 3)
	for _, w := range words {
		if len(word)-len(w) >= least || len(w)-len(word) >= least || strings.HasPrefix(w, "__") {
			continue
		}
		if d := spelling.Distance(word, w); d < least {
			best, least = w, d
		}
	}
	return best
}
