package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"kith/app"
	"kith/event"
)

// target says which Kith a command speaks to.
type target struct {
	Data   string `default:"data" env:"KITH_DATA" placeholder:"FOLDER" help:"The data folder. A command speaks to the server that runs on it, or opens it itself."`
	Server string `env:"KITH_SERVER" placeholder:"URL" help:"Speak to this server instead, with the token in KITH_TOKEN."`
	Token  string `env:"KITH_TOKEN" hidden:""`
}

// client speaks to one Kith over HTTP: a server elsewhere, the one that runs on the data folder, or one that this
// process opened for itself.
type client struct {
	base  string
	token string
	http  *http.Client
	close func() error
}

// connect finds the server, or opens the folder where none runs. The caller calls close.
func (t *target) connect(ctx context.Context) (*client, error) {
	if t.Server != "" {
		return &client{base: strings.TrimSuffix(t.Server, "/"), token: t.Token, http: http.DefaultClient, close: func() error { return nil }}, nil
	}
	f := &folder{path: t.Data}
	conn, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	conn.Close()
	return over(f.dial, f.close), nil
}

// local speaks to the server that runs on the folder.
func (t *target) local(close func() error) *client {
	return over(func(ctx context.Context) (net.Conn, error) { return app.DialLocal(ctx, t.Data) }, close)
}

func over(dial func(context.Context) (net.Conn, error), close func() error) *client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 8,
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	return &client{base: "http://localhost", http: &http.Client{Transport: transport}, close: func() error {
		transport.CloseIdleConnections()
		return close()
	}}
}

// folder is a data folder of this machine, whoever has it open: a server, another command, or this process, as soon as
// nobody else has. Another command may end at any time, so each connection looks anew.
type folder struct {
	path    string
	mu      sync.Mutex
	stop    func() error // not nil: this process has it open
	reached bool         // it was open elsewhere
}

// openingTakes is how long a command waits for a process that has the folder and does not answer yet.
const openingTakes = 10 * time.Second

func (f *folder) dial(ctx context.Context) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for began := time.Now(); ; {
		conn, err := app.DialLocal(ctx, f.path)
		if err == nil || f.stop != nil {
			f.reached = true
			return conn, err
		}
		if f.reached && app.Served(f.path) {
			return nil, err // it crashed, and its supervisor starts it anew: nobody may be before it
		}
		stop, err := openLocal(ctx, f.path)
		switch {
		case err == nil:
			f.stop = stop
			continue
		case event.CodeOf(err) != event.Conflict || time.Since(began) > openingTakes:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (f *folder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop == nil {
		return nil
	}
	return f.stop()
}

// openLocal starts the parts that commands need in this process, and returns what stops them.
func openLocal(ctx context.Context, folder string) (stop func() error, err error) {
	config, _, err := app.LoadConfig("", map[string]string{"data": folder, "role": "local", "log.level": "warn"})
	if err != nil {
		return nil, err
	}
	a, err := app.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running) }()
	select {
	case <-a.Started():
	case err := <-ended:
		cancel()
		return nil, err
	}
	return func() error { cancel(); return <-ended }, nil
}

// do sends a request and returns the answer if it is a good one; the caller closes its body.
func (c *client) do(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("TE", "trailers") // a streamed answer that breaks off then says why
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if known := (*event.Error)(nil); errors.As(err, &known) { // the folder does not open
			return nil, known
		}
		return nil, &event.Error{Code: event.Unavailable, Message: "cannot reach " + c.base, Hint: "is the server running?", Err: err}
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problem(resp)
}

// problem reads an error answer (RFC 9457) back into the error that it was made of.
func problem(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var p struct {
		Code   event.Code  `json:"code"`
		Detail string      `json:"detail"`
		Place  event.Place `json:"place"`
		Hint   string      `json:"hint"`
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
		return fmt.Errorf("the server answered %s: %.200s", resp.Status, bytes.TrimSpace(text))
	}
	return &event.Error{Code: p.Code, Message: p.Detail, Place: p.Place, Hint: p.Hint}
}

// call sends in as JSON, if it is not nil, and reads the answer into out, if that is not nil.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	contentType := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body, contentType = bytes.NewReader(text), "application/json"
	}
	resp, err := c.do(ctx, method, path, body, contentType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// with connects, does, and closes.
func (t *target) with(ctx context.Context, do func(*client) error) (err error) {
	c, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closing := c.close(); err == nil {
			err = closing
		}
	}()
	return do(c)
}
