package prepare

import (
	"bytes"
	"slices"

	"kith/event"
	"kith/internal/jsonscan"
)

// contextMember is a member of the context that has a column, or columns for members of its own.
type contextMember uint8

const (
	unknown contextMember = iota
	ctxIP
	ctxUserAgent
	ctxLocale
	ctxTimezone
	ctxSession
	ctxGroup
	ctxChannel
	ctxPage // from here on: objects
	ctxCampaign
	ctxLibrary
	ctxApp
	ctxScreen
	ctxDevice
	ctxOS
	ctxTraits
)

type contextMembers uint32

func (s contextMembers) has(m contextMember) bool { return s>>m&1 != 0 }

func contextMemberOf(name []byte) contextMember {
	switch string(name) {
	case "ip":
		return ctxIP
	case "userAgent":
		return ctxUserAgent
	case "locale":
		return ctxLocale
	case "timezone":
		return ctxTimezone
	case "sessionId":
		return ctxSession
	case "groupId":
		return ctxGroup
	case "channel":
		return ctxChannel
	case "page":
		return ctxPage
	case "campaign":
		return ctxCampaign
	case "library":
		return ctxLibrary
	case "app":
		return ctxApp
	case "screen":
		return ctxScreen
	case "device":
		return ctxDevice
	case "os":
		return ctxOS
	case "traits":
		return ctxTraits
	}
	return unknown
}

// context takes the context under the cursor. With under it is the request's, which gives only what the event's own
// lacks.
func (p *Preparer) context(e *event.Event, under bool) {
	c, l := &p.c, &p.l
	own := l.seen
	for c.Enter(); c.Member(); {
		at, name := c.KeyPos(), c.Key()
		member := contextMemberOf(name)
		if under && (own.has(member) || member == unknown && p.hasName(name)) {
			c.Skip()
			continue
		}
		if member == unknown {
			if !under {
				p.names = append(p.names, name)
			}
			c.Skip()
			p.rest.keep(c.Since(at))
			continue
		}
		l.seen |= 1 << member
		if !p.contextMember(e, member) {
			p.rest.keep(c.Since(at))
		}
	}
}

// contextMember takes a member for its column; false where it is of a type that the column cannot hold.
func (p *Preparer) contextMember(e *event.Event, member contextMember) bool {
	if member >= ctxPage && p.c.Kind() != jsonscan.Object {
		null := p.c.Kind() == jsonscan.Null
		p.c.Skip()
		return null
	}
	l := &p.l
	switch member {
	case ctxIP:
		return p.text(&e.IP, colIP)
	case ctxUserAgent:
		return p.text(&l.client.userAgent, colUserAgent)
	case ctxLocale:
		return p.text(&e.Locale, colLocale)
	case ctxTimezone:
		return p.text(&e.Timezone, colTimezone)
	case ctxSession:
		return p.text(&e.ClientSessionID, colSession)
	case ctxGroup:
		return p.text(&l.contextGroup, colGroupID)
	case ctxChannel:
		return p.text(&l.contextChannel, colChannel)
	case ctxPage:
		p.page()
	case ctxCampaign:
		p.campaign(e)
	case ctxLibrary:
		p.named(&e.Library, &e.LibraryVersion, colLibrary, colLibraryVersion, "library")
	case ctxApp:
		p.named(&e.App, &e.AppVersion, colApp, colAppVersion, "app")
	case ctxOS:
		p.named(&l.client.os, &l.client.osVersion, colOS, colOSVersion, "os")
	case ctxScreen:
		p.screen(e)
	case ctxDevice:
		p.device()
	case ctxTraits:
		l.contextEmail = nil
		l.contextTraits = p.traits(&l.contextEmail)
	}
	return true
}

// hasName reports whether the event's own context has the member, which has no column.
func (p *Preparer) hasName(name []byte) bool {
	_, found := slices.BinarySearchFunc(p.names, name, bytes.Compare)
	return found
}

// requestContext lays the request's context under the event's.
func (p *Preparer) requestContext(e *event.Event) {
	slices.SortFunc(p.names, bytes.Compare)
	p.c.Reset(p.l.batchContext)
	p.context(e, true)
}

// forgetContext makes room for a second context in the same event: the last one counts.
func (p *Preparer) forgetContext(e *event.Event) {
	l := &p.l
	l.seen, l.client, l.hasCampaign, l.page = 0, client{}, false, pageMembers{}
	l.contextEmail, l.contextTraits, l.contextGroup, l.contextChannel = nil, nil, nil, nil
	e.IP, e.Locale, e.Timezone, e.ClientSessionID = nil, nil, nil, nil
	e.Library, e.LibraryVersion, e.App, e.AppVersion = nil, nil, nil, nil
	e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMTerm, e.UTMContent = nil, nil, nil, nil, nil
	e.ScreenWidth, e.ScreenHeight = 0, 0
	p.names = p.names[:0]
	p.rest.forget()
}

// named takes an object that is a name with a version.
func (p *Preparer) named(name, version *event.Text, colName, colVersion column, object string) {
	c, rest := &p.c, p.rest.open(object)
	*name, *version = nil, nil
	for c.Enter(); c.Member(); {
		at, ok := c.KeyPos(), false
		switch string(c.Key()) {
		case "name":
			ok = p.text(name, colName)
		case "version":
			ok = p.text(version, colVersion)
		default:
			c.Skip()
		}
		if !ok {
			p.rest.keep(c.Since(at))
		}
	}
	p.rest.close(rest)
}

func (p *Preparer) campaign(e *event.Event) {
	c, rest := &p.c, p.rest.open("campaign")
	e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMTerm, e.UTMContent = nil, nil, nil, nil, nil
	for c.Enter(); c.Member(); {
		at, ok := c.KeyPos(), false
		switch string(c.Key()) {
		case "source":
			ok = p.text(&e.UTMSource, colUTMSource)
		case "medium":
			ok = p.text(&e.UTMMedium, colUTMMedium)
		case "name":
			ok = p.text(&e.UTMCampaign, colUTMCampaign)
		case "term":
			ok = p.text(&e.UTMTerm, colUTMTerm)
		case "content":
			ok = p.text(&e.UTMContent, colUTMContent)
		default:
			c.Skip()
		}
		if !ok {
			p.rest.keep(c.Since(at))
		}
	}
	p.rest.close(rest)
	p.l.hasCampaign = e.UTMSource != nil || e.UTMMedium != nil || e.UTMCampaign != nil || e.UTMTerm != nil || e.UTMContent != nil
}

func (p *Preparer) screen(e *event.Event) {
	c, rest := &p.c, p.rest.open("screen")
	e.ScreenWidth, e.ScreenHeight = 0, 0
	for c.Enter(); c.Member(); {
		at, ok := c.KeyPos(), false
		switch string(c.Key()) {
		case "width":
			ok = p.pixels(&e.ScreenWidth, colScreenWidth)
		case "height":
			ok = p.pixels(&e.ScreenHeight, colScreenHeight)
		default:
			c.Skip()
		}
		if !ok {
			p.rest.keep(c.Since(at))
		}
	}
	p.rest.close(rest)
}
