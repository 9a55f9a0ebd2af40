package dedupe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	"github.com/dchest/siphash"

	"kith/event"
)

const (
	secretName  = "key"
	secretMagic = "KITHDKEY"
	secretSize  = 8 + 4 + 16 + 4
)

// A secret is the key of the fingerprints. It is drawn once for a folder; without it nothing in the folder can be
// compared with anything.
type secret struct{ k0, k1 uint64 }

// check is a value that tells secrets apart and says nothing about them.
func (s secret) check() uint64 { return siphash.Hash(s.k0, s.k1, []byte("kith dedupe key")) }

// loadSecret reads the folder's secret, or draws one if it has none and is allowed to.
func loadSecret(d folder, draw bool) (secret, error) {
	path := d.path(secretName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if draw {
			return drawSecret(d)
		}
		return secret{}, &event.Error{Code: event.Corrupt, Message: "the key of the fingerprints is missing", Err: err,
			Place: event.Place{File: path}, Hint: "restore the file together with the rest of the data folder"}
	}
	if err != nil {
		return secret{}, err
	}
	if len(b) != secretSize || string(b[:8]) != secretMagic || sum(b[:secretSize-4]) != binary.LittleEndian.Uint32(b[secretSize-4:]) {
		return secret{}, corrupt(path, 0, "not a key file, or damaged")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return secret{}, wrongVersion(path, v)
	}
	return secret{binary.LittleEndian.Uint64(b[12:]), binary.LittleEndian.Uint64(b[20:])}, nil
}

// drawSecret writes a new secret durably before anything is computed with it.
func drawSecret(d folder) (secret, error) {
	var k [16]byte
	rand.Read(k[:]) // never fails: it ends the process instead
	b := append([]byte(secretMagic), version, 0, 0, 0)
	b = append(b, k[:]...)
	b = binary.LittleEndian.AppendUint32(b, sum(b))
	tmp := secretName + ".new"
	f, err := os.OpenFile(d.path(tmp), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return secret{}, err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return secret{}, err
	}
	if err := d.sync(f, tmp); err != nil {
		return secret{}, err
	}
	if err := os.Rename(d.path(tmp), d.path(secretName)); err != nil {
		return secret{}, err
	}
	return secret{binary.LittleEndian.Uint64(k[:]), binary.LittleEndian.Uint64(k[8:])}, d.syncNames()
}
