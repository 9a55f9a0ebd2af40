package prepare

import (
	"hash/maphash"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"kith/event"

	useragent "github.com/medama-io/go-useragent"
	vocabulary "github.com/medama-io/go-useragent/agents"
)

// client is what an event says about the program and the device that it comes from.
type client struct {
	userAgent, os, osVersion event.Text
	deviceType, model        event.Text
}

// device takes context.device. It is kept whole: the column says only what sort of device it is.
func (p *Preparer) device() {
	c, client, rest := &p.c, &p.l.client, p.rest.open("device")
	client.deviceType, client.model = nil, nil
	for c.Enter(); c.Member(); {
		at := c.KeyPos()
		switch string(c.Key()) {
		case "type":
			p.text(&client.deviceType, colDevice)
		case "model":
			p.text(&client.model, colDevice)
		default:
			c.Skip()
		}
		p.rest.keep(c.Since(at))
	}
	p.rest.close(rest)
}

// agents remembers what user agents say, because reading one takes as long as preparing the rest of its event: a bounded
// table in which a new one takes the place of the one that hashes to the same slot.
type agents struct {
	parser *useragent.Parser
	seed   maphash.Seed
	slots  []*knownAgent
}

type knownAgent struct {
	userAgent, os, osVersion string
	family                   family
	agent                    event.Agent
}

// newAgents makes a table of at least so many slots.
func newAgents(slots int) *agents {
	slots = 1 << bits.Len(uint(max(slots, 1)-1))
	return &agents{parser: useragent.NewParser(), seed: maphash.MakeSeed(), slots: make([]*knownAgent, slots)}
}

// agent returns what the client says about itself; nil where it says nothing.
func (p *Preparer) agent(c *client) *event.Agent {
	// Nobody's agent is longer; the cuts bound what a slot can hold.
	ua, os, version := cut(c.userAgent, 1024), cut(c.os, 64), cut(c.osVersion, 64)
	sort := familyOf(c)
	if ua == nil && os == nil && sort == anyDevice {
		return nil
	}
	a := p.agents
	hash := maphash.Bytes(a.seed, ua)
	if os != nil || sort != anyDevice {
		hash ^= maphash.Bytes(a.seed, os)<<1 ^ maphash.Bytes(a.seed, version)<<2 ^ uint64(sort)
	}
	slot := &a.slots[hash&uint64(len(a.slots)-1)]
	if k := *slot; k != nil && k.userAgent == string(ua) && k.os == string(os) && k.osVersion == string(version) && k.family == sort {
		return &k.agent
	}
	k := &knownAgent{userAgent: string(ua), os: string(os), osVersion: string(version), family: sort}
	k.agent = a.parse(k)
	*slot = k
	return &k.agent
}

func (a *agents) parse(k *knownAgent) event.Agent {
	said := a.parser.Parse(k.userAgent)
	agent := event.Agent{
		Browser: string(said.Browser()),
		OS:      osName(string(said.OS())),
		Bot:     said.IsBot() || isBot(k.userAgent),
	}
	major, _ := strconv.ParseInt(said.BrowserVersionMajor(), 10, 32)
	agent.BrowserVersion = int32(major)
	agent.OSVersion = osVersion(k.userAgent, agent.OS)
	if k.os != "" { // the device's own word; browsers no longer tell the truth
		agent.OS, agent.OSVersion = osName(k.os), k.osVersion
	}
	agent.Device = deviceName(k.family, said.Device(), agent)
	return agent
}

func deviceName(sort family, said vocabulary.Device, agent event.Agent) string {
	switch {
	case agent.Bot:
		return "bot"
	case sort > phoneOrTablet:
		return [...]string{phone: "phone", tablet: "tablet", tv: "tv", desktop: "desktop"}[sort]
	}
	switch said {
	case vocabulary.DeviceMobile:
		return "phone"
	case vocabulary.DeviceTablet:
		return "tablet"
	case vocabulary.DeviceTV:
		return "tv"
	case vocabulary.DeviceDesktop:
		if sort == anyDevice {
			return "desktop"
		}
	}
	switch agent.OS {
	case "iPadOS":
		return "tablet"
	case "tvOS":
		return "tv"
	case "iOS", "Android":
		return "phone"
	}
	if sort == phoneOrTablet {
		return "phone"
	}
	return ""
}

// family is the sort of a device as an SDK gives it.
type family uint8

const (
	anyDevice family = iota
	phoneOrTablet
	phone
	tablet
	tv
	desktop
)

func familyOf(c *client) family {
	switch {
	case c.deviceType == nil && c.model == nil:
		return anyDevice
	case startsWith(c.model, "iPad"):
		return tablet
	case startsWith(c.model, "iPhone"), startsWith(c.model, "iPod"):
		return phone
	case startsWith(c.model, "AppleTV"):
		return tv
	case startsWith(c.model, "Mac"):
		return desktop
	}
	var buf [16]byte
	switch string(lowerASCII(buf[:0], cut(c.deviceType, len(buf)))) {
	case "ios", "android", "mobile":
		return phoneOrTablet
	case "phone", "smartphone":
		return phone
	case "tablet", "ipad", "ipados":
		return tablet
	case "tv", "tvos", "smarttv":
		return tv
	case "desktop", "macos", "windows", "linux":
		return desktop
	}
	return anyDevice
}

func startsWith(t event.Text, prefix string) bool {
	return len(t) >= len(prefix) && string(t[:len(prefix)]) == prefix
}

func lowerASCII(dst []byte, t event.Text) []byte {
	for _, c := range t {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// osName gives an operating system the one name that its column knows it by.
func osName(said string) string {
	switch strings.ToLower(said) {
	case "ios", "iphone os":
		return "iOS"
	case "ipados":
		return "iPadOS"
	case "android":
		return "Android"
	case "macos", "mac os", "mac os x", "os x":
		return "macOS"
	case "windows":
		return "Windows"
	case "linux":
		return "Linux"
	case "tvos":
		return "tvOS"
	case "watchos":
		return "watchOS"
	}
	return said
}

// osVersion reads the version behind the system's token. Windows and macOS have frozen theirs: Windows 11 says 10, and
// every macOS since 2020 says 10.15.7.
func osVersion(userAgent, os string) string {
	var token string
	switch os {
	case "Windows":
		token = "Windows NT "
	case "macOS":
		token = "Mac OS X "
	case "iOS":
		token = " OS " // of "CPU iPhone OS 18_5 like Mac OS X" and "CPU OS 18_5 like Mac OS X"
	case "Android":
		token = "Android "
	case "ChromeOS":
		token = "CrOS x86_64 "
	default:
		return ""
	}
	_, rest, _ := strings.Cut(userAgent, token)
	end := 0
	for end < len(rest) && (rest[end]-'0' < 10 || rest[end] == '.' || rest[end] == '_') {
		end++
	}
	version := strings.Trim(strings.ReplaceAll(rest[:end], "_", "."), ".")
	if os == "Windows" {
		switch version {
		case "6.1":
			return "7"
		case "6.2":
			return "8"
		case "6.3":
			return "8.1"
		case "10.0":
			return "10"
		}
	}
	return version
}

// isBot finds programs that nobody sits in front of by the words that they use for themselves.
func isBot(userAgent string) bool {
	lower := strings.ReplaceAll(strings.ToLower(userAgent), "cubot", "") // a maker of phones
	for _, word := range [...]string{
		"bot", "crawl", "spider", "slurp", "headless", "phantomjs", "lighthouse", "facebookexternalhit", "preview",
		"monitor", "python-", "curl/", "wget", "go-http-client", "java/", "libwww", "scrapy", "axios/", "node-fetch",
	} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// isBrowser reports whether a connection's agent is a browser, and not the library of a server that reports for others.
func isBrowser(userAgent event.Text) bool {
	return startsWith(userAgent, "Mozilla/") || startsWith(userAgent, "Opera/")
}

// cut shortens a text to at most n bytes of whole characters.
func cut(t event.Text, n int) event.Text {
	if len(t) <= n {
		return t
	}
	for n > 0 && !utf8.RuneStart(t[n]) {
		n--
	}
	return t[:n]
}
