package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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

// visitors are the connections of the socket's server. A server that shuts down drops the requests that it has not begun
// to read, and resets those who wait to be accepted. A command that finds the folder open in another command's process
// would then fail because that one ends, so the socket's server serves all who came and shuts down after that.
type visitors struct{ open sync.WaitGroup }

func (v *visitors) note(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		v.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		v.open.Done()
	}
}

// leave lets nobody in any more and returns when all have gone, or when ctx ends.
func (v *visitors) leave(ctx context.Context, server *http.Server, folder string) error {
	if err := lastCall(ctx, folder); err != nil {
		return err
	}
	server.SetKeepAlivesEnabled(false)
	gone := make(chan struct{})
	go func() { v.open.Wait(); close(gone) }() // ends with the server at the latest, which closes all
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for commands: %w", ctx.Err())
	}
}

// lastCall takes the socket's name away, so that nobody connects any more, and returns when all who did before are
// accepted.
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
	defer context.AfterFunc(ctx, func() { conn.Close() })()
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
