package serve

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"kith/event"
)

// NewServer returns a server with limits on what a slow or greedy client can hold: 10 s for the header and 64 kB of it, a
// minute for the body, two minutes for the answer (one that streams has two minutes for each piece), two minutes for a
// connection that does nothing.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      pieceTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers send at the port
	}
}

// pieceTimeout is how long a client may take for an answer, or a piece of one that streams.
const pieceTimeout = 2 * time.Minute

// CheckListen refuses an address beyond this machine unless it is served over TLS or the owner said that they know
// (behind a proxy that has TLS). Errors: event.Invalid.
func CheckListen(address string, tls, insecure bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return event.Errorf(event.Invalid, "this is no address to listen on").At("http.listen", address).
			WithHint(`such as "127.0.0.1:8080", or ":8080" for every address of this machine`)
	}
	if tls || insecure || loopback(host) {
		return nil
	}
	return event.Errorf(event.Invalid, "others could reach this address, and passwords and keys would cross the network in the clear").
		At("http.listen", address).
		WithHint("give a certificate (http.tls_cert, http.tls_key), listen on 127.0.0.1, or set http.insecure if a proxy before Kith has TLS")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
