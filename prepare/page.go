package prepare

import (
	"bytes"
	"unicode/utf8"

	"kith/event"
)

// pageMembers are a page as a client describes it.
type pageMembers struct{ url, path, search, title, referrer event.Text }

// page takes context.page.
func (p *Preparer) page() {
	c, page, rest := &p.c, &p.l.page, p.rest.open("page")
	*page = pageMembers{}
	for c.Enter(); c.Member(); {
		at, ok := c.KeyPos(), false
		switch string(c.Key()) {
		case "url":
			ok = p.text(&page.url, colPageURL)
		case "path":
			ok = p.text(&page.path, colPagePath)
		case "search":
			ok = p.text(&page.search, colPageQuery)
		case "title":
			ok = p.text(&page.title, colPageTitle)
		case "referrer":
			ok = p.text(&page.referrer, colReferrer)
		default:
			c.Skip()
		}
		if !ok {
			p.rest.keep(c.Since(at))
		}
	}
	p.rest.close(rest)
}

// pageOfProperties fills what the context does not say about the page from the properties of a page call, which
// describe the same page. Until the type was known they were kept as they are written.
func (p *Preparer) pageOfProperties() {
	page, said := &p.l.page, &p.l.propertiesPage
	for _, m := range [...]struct {
		to   *event.Text
		said event.Text
		col  column
	}{
		{&page.url, said.url, colPageURL}, {&page.path, said.path, colPagePath}, {&page.search, said.search, colPageQuery},
		{&page.title, said.title, colPageTitle}, {&page.referrer, said.referrer, colReferrer},
	} {
		if *m.to == nil && m.said != nil {
			p.c.Reset(m.said)
			p.text(m.to, m.col)
		}
	}
}

// splitPage fills the page's columns.
func (p *Preparer) splitPage(e *event.Event) {
	page := &p.l.page
	e.PageTitle, e.Referrer = page.title, page.referrer
	if page.referrer != nil {
		host, _, _ := splitURL(page.referrer)
		e.ReferrerHost = p.lower(host)
	}
	host, path, query := splitURL(page.url)
	e.PageHost, e.PagePath, e.PageQuery = p.lower(host), page.path, query
	if page.path == nil {
		e.PagePath = path
	}
	if query == nil {
		e.PageQuery = none(bytes.TrimPrefix(page.search, []byte("?")))
	}
	if e.PageQuery != nil {
		p.query(e)
	}
}

// splitURL finds the parts of a URL: the host with its port, without user and password; the path; the query without
// its question mark. A relative URL has no host.
func splitURL(url event.Text) (host, path, query event.Text) {
	rest := url
	if i := bytes.IndexByte(rest, '#'); i >= 0 {
		rest = rest[:i]
	}
	if i := bytes.IndexByte(rest, '?'); i >= 0 {
		rest, query = rest[:i], none(rest[i+1:])
	}
	slashes := bytes.Index(rest, []byte("//"))
	switch {
	case slashes == 0 || slashes > 0 && rest[slashes-1] == ':' && isScheme(rest[:slashes-1]):
		host, path = rest[slashes+2:], rest[slashes:slashes+1]
		if i := bytes.IndexByte(host, '/'); i >= 0 {
			host, path = host[:i], host[i:]
		}
		return none(host[bytes.LastIndexByte(host, '@')+1:]), path, query
	case len(rest) > 0 && rest[0] == '/':
		return nil, rest, query
	}
	return nil, nil, query
}

func isScheme(b []byte) bool {
	for _, c := range b {
		if c|0x20-'a' >= 26 && c-'0' >= 10 && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return len(b) > 0
}

// query takes the campaign, where the context has none, and the click id.
func (p *Preparer) query(e *event.Event) {
	for rest := e.PageQuery; len(rest) > 0; {
		parameter := rest
		if i := bytes.IndexByte(rest, '&'); i >= 0 {
			parameter, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		equals := bytes.IndexByte(parameter, '=')
		if equals < 0 || equals == len(parameter)-1 {
			continue
		}
		var to *event.Text
		value := parameter[equals+1:]
		switch string(parameter[:equals]) {
		case "utm_source":
			to = &e.UTMSource
		case "utm_medium":
			to = &e.UTMMedium
		case "utm_campaign":
			to = &e.UTMCampaign
		case "utm_term":
			to = &e.UTMTerm
		case "utm_content":
			to = &e.UTMContent
		case "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid", "ScCid",
			"rdt_cid", "epik", "irclickid":
			if e.ClickID == nil {
				e.ClickID = p.decode(parameter)
			}
			continue
		}
		if to != nil && *to == nil && !p.l.hasCampaign {
			*to = p.decode(value)
		}
	}
}

// decode resolves a query's %xx and +. What does not make UTF-8 stays as it is.
func (p *Preparer) decode(t event.Text) event.Text {
	if bytes.IndexByte(t, '%') < 0 && bytes.IndexByte(t, '+') < 0 {
		return t
	}
	from := len(p.scratch)
	for i := 0; i < len(t); i++ {
		b := t[i]
		if b == '+' {
			b = ' '
		} else if b == '%' && i+2 < len(t) {
			if high, low := hex(t[i+1]), hex(t[i+2]); high < 16 && low < 16 {
				b = high<<4 | low
				i += 2
			}
		}
		p.scratch = append(p.scratch, b)
	}
	if !utf8.Valid(p.scratch[from:]) {
		p.scratch = p.scratch[:from]
		return t
	}
	return p.since(from)
}

func hex(c byte) byte {
	switch {
	case c-'0' < 10:
		return c - '0'
	case c|0x20-'a' < 6:
		return c | 0x20 - 'a' + 10
	}
	return 255
}

func none(t event.Text) event.Text {
	if len(t) == 0 {
		return nil
	}
	return t
}
