package query

import (
	"slices"
	"strings"
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
		if d := distance(word, w, least); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the single letters to insert, remove or change between a and b, up to limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || strings.HasPrefix(b, "__") {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
