package columns

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// create makes the file path of what fill writes and returns its size. The file stands under its name only when it is
// whole and on disk: until then it is path.tmp, which a power cut may leave behind and a failure does not.
func create(path string, fill func(io.Writer) error) (size int64, err error) {
	name := path + ".tmp"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	if size, err = complete(f, fill); err != nil {
		return 0, err
	}
	if err := os.Rename(name, path); err != nil {
		return 0, err
	}
	name = path
	return size, syncFolder(filepath.Dir(path))
}

// complete fills f, makes it durable and closes it.
func complete(f *os.File, fill func(io.Writer) error) (size int64, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return 0, err
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return f.Seek(0, io.SeekCurrent)
}

// syncFolder makes the names in a folder survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
