package prepare

import (
	"strconv"

	"kith/event"
)

// derive fills the columns that follow from more than one member.
func (p *Preparer) derive(e *event.Event) {
	l := &p.l
	if l.batchContext != nil {
		p.requestContext(e)
	}
	if e.MessageID == nil {
		from := len(p.scratch)
		p.scratch = append(p.scratch, "seq:"...)
		p.scratch = strconv.AppendInt(p.scratch, int64(e.Seq), 10)
		e.MessageID = p.since(from)
	}
	if e.GroupID == nil {
		e.GroupID = l.contextGroup
	}
	if e.Channel == nil {
		e.Channel = l.contextChannel
	}
	p.person(e)
	p.connection(e)
	if string(e.Type) == "page" {
		p.pageOfProperties()
	}
	p.splitPage(e)
	e.Context = p.rest.text()
}

// person takes traits and address. The traits of a group call are the group's, so its address is nobody's.
func (p *Preparer) person(e *event.Event) {
	l := &p.l
	if string(e.Type) != "group" {
		e.Email = l.email
	}
	if e.Email == nil {
		e.Email = l.contextEmail
	}
	switch {
	case l.contextTraits == nil:
	case e.Traits == nil && string(e.Type) != "group":
		e.Traits = l.contextTraits
	default:
		p.rest.keepAs("traits", l.contextTraits)
	}
}

// connection falls back to the address and the agent that the request came with. Those of a server that reports on
// behalf of others say nothing about the person, and only a browser's agent does.
func (p *Preparer) connection(e *event.Event) {
	l := &p.l
	if string(e.Channel) != "server" {
		if e.IP == nil {
			e.IP = l.ip
		}
		if l.client.userAgent == nil && isBrowser(l.userAgent) {
			l.client.userAgent = l.userAgent
		}
	}
	e.Agent = p.agent(&l.client)
}
