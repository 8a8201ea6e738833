package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// control takes requests from other terminals over a socket in the file system: HTTP, so that curl can speak it too.
type control struct {
	server *http.Server
	done   chan struct{}
}

// restarter starts a part again and says how that went.
type restarter func(ctx context.Context, stack, part string) (string, error)

// serveControl serves at path until close. The caller has the lock of the folder, so a socket left there is nobody's.
func serveControl(path string, restart restarter) (*control, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, r *http.Request) {
		said, err := restart(r.Context(), r.FormValue("stack"), r.FormValue("part"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		fmt.Fprintln(w, said)
	})
	c := &control{server: &http.Server{Handler: mux, ReadTimeout: 5 * time.Second}, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(listener) // ends with ErrServerClosed
	}()
	return c, nil
}

// close answers the requests under way, for 2 s at most, and ends the socket.
func (c *control) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close()
	}
	<-c.done
}

// askRestart asks the `tandem up` behind a socket to start a part again, and returns what it says.
func askRestart(ctx context.Context, socket, stack, part string) (string, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	form := url.Values{"stack": {stack}, "part": {part}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://up/restart", strings.NewReader(form))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", fmt.Errorf("ask the running `tandem up`: %w", err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return "", fmt.Errorf("ask the running `tandem up`: %w", err)
	}
	said := strings.TrimSpace(string(text))
	if reply.StatusCode != http.StatusOK {
		return "", errors.New(said)
	}
	return said, nil
}
