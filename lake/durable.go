package lake

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
)

const fileScheme = "file://"

// useDurableFiles makes iceberg-go write its metadata so that it survives a power cut; its own local file system
// writes in place and never syncs. iceberg-go has one registry for the process, so the file system keeps no state
// and any number of lakes share it.
var useDurableFiles = sync.OnceFunc(func() {
	iceio.Unregister("file")
	iceio.Register("file", func(context.Context, *url.URL, map[string]string) (iceio.IO, error) {
		return durableFS{}, nil
	})
})

// durableFS is iceberg-go's local file system with writes that are complete and on disk, or not there at all.
type durableFS struct{ iceio.LocalFS }

func (durableFS) Create(name string) (iceio.FileWriter, error) {
	path := strings.TrimPrefix(name, fileScheme)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), temporary+"*")
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(0o644); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return &durableFile{File: file, final: path}, nil
}

func (fs durableFS) WriteFile(name string, content []byte) error {
	file, err := fs.Create(name)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// temporary begins the name of a file that is not complete; Open removes those that a crash left.
const temporary = ".kith-tmp-"

// durableFile takes its final name when it is closed, and only if every write succeeded.
type durableFile struct {
	*os.File
	final  string
	failed bool
}

func (f *durableFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.failed = f.failed || err != nil
	return n, err
}

func (f *durableFile) Close() error {
	err := f.File.Sync()
	err = errors.Join(err, f.File.Close())
	if err != nil || f.failed {
		return errors.Join(err, os.Remove(f.File.Name()))
	}
	if err := os.Rename(f.File.Name(), f.final); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.final))
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// syncDirs makes the names in the folders, and the folders' own names in root, durable.
func syncDirs(root string, dirs []string) error {
	for _, dir := range append(dirs, root) {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
	}
	return nil
}
