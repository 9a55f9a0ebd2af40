package columns

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// create makes the file path of what fill writes and returns what its footer says. The file stands under its name only
// when it is whole and on disk: until then it is path.tmp, which a power cut may leave behind and a failure does not.
func create(path string, fill func(io.Writer) error) (info Info, err error) {
	name := path + ".tmp"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return Info{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	if err := complete(f, fill); err != nil {
		return Info{}, err
	}
	if info, err = Stat(name); err != nil {
		return Info{}, err
	}
	if err := os.Rename(name, path); err != nil {
		return Info{}, err
	}
	name, info.Path = path, path
	return info, syncFolder(filepath.Dir(path))
}

// complete fills f, makes it durable and closes it.
func complete(f *os.File, fill func(io.Writer) error) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder makes the names in a folder survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
