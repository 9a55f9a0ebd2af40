package dedupe

// sorted returns the entries in the order of their keys, in one of the two slices, which are equally long. It sorts by
// the upper half of the key byte by byte, skipping bytes that are the same everywhere, which most of the hour's are;
// upper halves that are equal are rare, and a last pass puts them in order.
func sorted(entries, spare []entry) []entry {
	var counts [8][256]int
	for i := range entries {
		for b := range 8 {
			counts[b][byte(entries[i].hi>>(8*b))]++
		}
	}
	for b := range 8 {
		if len(entries) > 0 && counts[b][byte(entries[0].hi>>(8*b))] == len(entries) {
			continue
		}
		place := 0
		for i, n := range counts[b] {
			counts[b][i] = place
			place += n
		}
		for _, e := range entries {
			p := &counts[b][byte(e.hi>>(8*b))]
			spare[*p] = e
			*p++
		}
		entries, spare = spare, entries
	}
	for i := 1; i < len(entries); i++ {
		for j := i; j > 0 && entries[j].less(entries[j-1].key); j-- {
			entries[j], entries[j-1] = entries[j-1], entries[j]
		}
	}
	return entries
}
