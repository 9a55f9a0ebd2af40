package govern

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"kith/event"
)

const (
	minPassword = 10      // characters' bytes
	maxPassword = 1024    // bytes; more is no safer and only work
	maxMemory   = 1 << 20 // KiB of a stored hash; more is damage, and would take the process down
)

// Argon2 says how dear it is to try a password (RFC 9106, Argon2id). A stored hash carries its own parameters, so
// these may change at any time: a password is hashed anew with them when its owner logs in.
type Argon2 struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultArgon2 takes about 50 ms and 32 MiB for a try.
func DefaultArgon2() Argon2 { return Argon2{Memory: 32 << 10, Passes: 3, Threads: 1} }

// hash returns $argon2id$v=19$m=…,t=…,p=…$salt$hash, the form that other software reads too.
func (a Argon2) hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails: it ends the process instead
	return a.format(salt, argon2.IDKey([]byte(password), salt, a.Passes, a.Memory, a.Threads, 32))
}

// decoy returns a hash that no password has, and that takes as long to find that out.
func (a Argon2) decoy() string {
	noise := make([]byte, 48)
	rand.Read(noise)
	return a.format(noise[:16], noise[16:])
}

func (a Argon2) format(salt, sum []byte) string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$%s$%s$%s", argon2.Version, a, encode(salt), encode(sum))
}

// String is the parameters as a stored hash writes them.
func (a Argon2) String() string { return fmt.Sprintf("m=%d,t=%d,p=%d", a.Memory, a.Passes, a.Threads) }

// verify reports whether stored is a hash of the password, and with which parameters it was made.
func verify(stored, password string) (ok bool, made Argon2, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, made, event.Errorf(event.Corrupt, "a stored password hash has a form that Kith does not know")
	}
	_, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &made.Memory, &made.Passes, &made.Threads)
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err1 != nil || err2 != nil || len(want) < 16 || made.Passes == 0 || made.Threads == 0 || made.Memory > maxMemory {
		return false, made, event.Errorf(event.Corrupt, "a stored password hash is damaged")
	}
	got := argon2.IDKey([]byte(password), salt, made.Passes, made.Memory, made.Threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, made, nil
}

// hashing waits for its turn to hash: each try takes memory, and a flood of log-ins must not take all of it.
func (p *Policy) hashing(ctx context.Context, do func()) error {
	select {
	case p.hash <- struct{}{}:
		defer func() { <-p.hash }()
		do()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkPassword(password string) error {
	switch n := len(password); {
	case n < minPassword:
		return event.Errorf(event.Invalid, "the password is too short: %d characters", n).At("password", "").
			WithHint("take at least %d; a few words make a good one", minPassword)
	case n > maxPassword:
		return event.Errorf(event.TooLarge, "the password is %d bytes; the limit is %d", n, maxPassword).At("password", "")
	}
	return nil
}
