package settings

import (
	"fmt"
	"strings"
)

// didYouMean names the known word nearest to an unknown one, or all if none is near.
func didYouMean(word string, known []string) string {
	if hint := nearOnly(word, known); hint != "" {
		return hint
	}
	return "there are " + strings.Join(known, ", ")
}

// nearOnly names the known word nearest to an unknown one, or nothing if none is near.
func nearOnly(word string, known []string) string {
	best, near := "", 2+len(word)/4
	for _, k := range known {
		if strings.HasSuffix(k, "."+word) { // the section was left out
			return fmt.Sprintf("did you mean %q?", k)
		}
		if d := distance(word, k); d < near {
			best, near = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is how many letters to change, add or drop to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
