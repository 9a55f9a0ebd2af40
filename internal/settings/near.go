package settings

import (
	"fmt"
	"strings"

	"kith/internal/spelling"
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
		if d := spelling.Distance(word, k); d < near {
			best, near = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}
