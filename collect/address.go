package collect

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"kith/event"
)

// client is the address that a request came from: the connection's, unless that is a trusted proxy's; then the last
// one in X-Forwarded-For that is not.
func (c *Collector) client(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	hops := r.Header["X-Forwarded-For"]
	for i := len(hops) - 1; i >= 0; i-- {
		for rest := hops[i]; rest != ""; {
			if !c.trusted(addr) {
				return addr
			}
			cut := strings.LastIndexByte(rest, ',')
			hop, err := netip.ParseAddr(strings.TrimSpace(rest[cut+1:]))
			if err != nil {
				return addr // what stands before it was not written by a proxy we know
			}
			addr, rest = hop.Unmap().WithZone(""), rest[:max(cut, 0)]
		}
	}
	return addr
}

func (c *Collector) trusted(addr netip.Addr) bool {
	for _, proxy := range c.proxies {
		if proxy.Contains(addr) {
			return true
		}
	}
	return false
}

const (
	strangerSlots = 1 << 12
	maxStrangers  = 64
)

// strangers bounds how many bodies are read at once for one address before anybody has said who sends them. Addresses
// share slots by their hash, so it costs 16 kB whatever comes.
type strangers struct{ slots [strangerSlots]atomic.Int32 }

func (s *strangers) enter(addr netip.Addr) (leave func(), err error) {
	b := addr.As16()
	network := binary.BigEndian.Uint64(b[:8]) // an IPv6 client has all of a /64
	if addr.Is4() {
		network = uint64(binary.BigEndian.Uint32(b[12:]))
	}
	slot := &s.slots[network*0x9E3779B97F4A7C15>>52]
	leave = func() { slot.Add(-1) }
	if slot.Add(1) > maxStrangers {
		leave()
		return nil, event.Errorf(event.TooMany, "%d requests of this address wait for their write key to be read; the limit is %d",
			maxStrangers, maxStrangers).WithHint("send the write key in the Authorization header")
	}
	return leave, nil
}
