package app

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// lastCall takes the socket's name away, so that nobody connects any more, and returns when all who did before are
// accepted. A listener that is closed at once would reset those who wait in its queue, and a command that came as another
// one ended would fail.
func lastCall(ctx context.Context, folder string) error {
	path, done, err := socketPath(folder)
	if err != nil {
		return err
	}
	defer done()
	closing := path + ".closing"
	if err := os.Rename(path, closing); err != nil {
		return fmt.Errorf("take the name of the socket away: %w", err)
	}
	defer os.Remove(closing)
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", closing) // the last in the queue
	if err != nil {
		return fmt.Errorf("be the last in the queue: %w", err)
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		return fmt.Errorf("be the last in the queue: %w", err)
	}
	_, err = io.Copy(io.Discard, conn)
	return err
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
