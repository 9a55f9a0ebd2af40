package columns_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSlow(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, ours := range []bool{false, true} {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	if ours { write(t, good, 1, 5) } else { writeForeign(t, good, "other", 1, 2, 3) }
	whole, _ := os.ReadFile(good)
	ok := 0
	t0 := time.Now()
	n := 0
	for ; time.Since(t0) < 60*time.Second; n++ {
		b := slices.Clone(whole)
		for range 1 + r.IntN(3) {
			i := footerStart(whole)+r.IntN(len(whole)-footerStart(whole)-8)
			if r.IntN(8) == 0 { i = r.IntN(len(whole)) }
			switch r.IntN(3) {
			case 0: b[i] = byte(r.Uint32())
			case 1: b[i] ^= 1 << r.IntN(8)
			case 2: b[i] += byte(r.IntN(3)-1)
			}
		}
		if joinDamaged(t, dir, good, bad, b) == nil { ok++ }
	}
	fmt.Println(ours, n, ok)
	}
}
