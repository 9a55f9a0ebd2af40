package govern

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// random returns text of n characters, 5 bits each, from the system's generator: digits 2 to 7 and lower-case letters, so
// that it can be spoken, double-clicked and put in a URL.
func random(n int) string {
	raw := make([]byte, (n*5+7)/8)
	rand.Read(raw) // never fails: it ends the process instead
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	return strings.ToLower(text[:n])
}

// Secret returns a new random secret of 160 bits in 32 characters.
func Secret() string { return random(32) }

// Digest is what is stored of a secret that need not be shown again. Secrets are long and random, so one round of
// SHA-256 suffices; and as a sender cannot choose the digest's bytes, comparing digests tells nothing by its time.
func Digest(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }
