package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

const socketName = "kith.sock"

// listenLocal listens on the data folder's socket, by which commands on this machine reach the process that has the
// folder open: who may open the socket may read the files beside it, so it needs no other credential.
func listenLocal(folder string) (net.Listener, error) {
	path, done, err := socketPath(folder)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(filepath.Join(folder, socketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", filepath.Join(folder, socketName), err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its name is that of a descriptor that is closed by then
	if err := os.Chmod(filepath.Join(folder, socketName), 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect %s: %w", socketName, err)
	}
	return l, nil
}

// DialLocal connects to the process that has the data folder open. An error says that none does.
func DialLocal(ctx context.Context, folder string) (net.Conn, error) {
	path, done, err := socketPath(folder)
	if err != nil {
		return nil, err
	}
	defer done()
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}

// socketPath returns a short name for the folder's socket: the kernel takes at most 107 bytes, a path may have more.
func socketPath(folder string) (path string, done func(), err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName), func() { dir.Close() }, nil
}
