package prepare

import (
	"kith/event"
	"kith/internal/jsonscan"
)

// line is what one line says that is not yet in the event: what other members decide about.
type line struct {
	hasEvent, isObject bool
	size, depth        int    // of the event
	maxBytes           int    // that its door takes
	members            int    // of all its objects
	over               []byte // the event's member in which depth or members went over their limit

	ip, userAgent event.Text // of the connection
	sent          stamp
	claimed       int64
	batchContext  []byte

	timestamp, original, ownSent stamp

	email, contextEmail          event.Text
	contextTraits                event.Text
	contextGroup, contextChannel event.Text
	page, propertiesPage         pageMembers
	hasCampaign                  bool
	client                       client
	hasContext                   bool
	seen                         contextMembers
}

// read finds everything in the line; what it makes of it is for refuse, derive and clock.
func (p *Preparer) read(raw []byte, e *event.Event) {
	*e = event.Event{}
	p.l = line{}
	p.rest.begin()
	p.names = p.names[:0]
	c, l := &p.c, &p.l
	c.Reset(raw)
	for c.Enter(); c.Member(); {
		switch string(c.Key()) {
		case "seq":
			seq, _ := jsonscan.Int(c.Skip())
			e.Seq = event.Seq(seq)
		case "received_at":
			e.ReceivedAt, _ = jsonscan.Int(c.Skip())
		case "source":
			p.text(&e.Source, colSource)
		case "source_id":
			id, _ := jsonscan.Int(c.Skip())
			e.SourceID = event.SourceID(id)
		case "door":
			p.text(&e.Door, colDoor)
		case "ip":
			p.text(&l.ip, colIP)
		case "ua":
			p.text(&l.userAgent, colUserAgent)
		case "sent_at":
			p.instant(&l.sent)
		case "claimed_at":
			l.claimed, _ = jsonscan.Int(c.Skip())
		case "batch":
			p.batch()
		case "event":
			p.event(e)
		default:
			c.Skip()
		}
	}
	if l.claimed != 0 {
		e.ReceivedAt = l.claimed
	}
}

// batch finds the context that the request gave for all of its events.
func (p *Preparer) batch() {
	c := &p.c
	if c.Kind() != jsonscan.Object {
		c.Skip()
		return
	}
	for c.Enter(); c.Member(); {
		isContext := string(c.Key()) == "context" && c.Kind() == jsonscan.Object
		if value := c.Skip(); isContext {
			p.l.batchContext = value
		}
	}
}

func (p *Preparer) event(e *event.Event) {
	c, l := &p.c, &p.l
	from := c.Pos()
	l.hasEvent = true
	l.isObject = c.Kind() == jsonscan.Object
	if !l.isObject {
		c.Skip()
		return
	}
	c.Mark()
	for c.Enter(); c.Member(); {
		name := c.Key()
		p.member(e)
		l.depth, l.members = c.Measure()
		if l.over == nil && (l.depth > p.limits.MaxDepth || l.members > p.limits.MaxMembers) {
			l.over = name
		}
	}
	l.size = len(c.Since(from))
}

// member takes one member of the event.
func (p *Preparer) member(e *event.Event) {
	c, l := &p.c, &p.l
	switch string(c.Key()) {
	case "type":
		p.text(&e.Type, colType)
	case "event":
		p.text(&e.Event, colEvent)
	case "name":
		p.text(&e.Name, colName)
	case "messageId":
		p.text(&e.MessageID, colMessageID)
	case "userId":
		p.text(&e.UserID, colUserID)
	case "anonymousId":
		p.text(&e.AnonymousID, colAnonymousID)
	case "previousId":
		p.text(&e.PreviousID, colPreviousID)
	case "groupId":
		p.text(&e.GroupID, colGroupID)
	case "channel":
		p.text(&e.Channel, colChannel)
	case "timestamp":
		p.instant(&l.timestamp)
	case "originalTimestamp":
		p.instant(&l.original)
	case "sentAt":
		p.instant(&l.ownSent)
	case "context":
		if l.hasContext {
			p.forgetContext(e)
		}
		l.hasContext = true
		if p.isObject(colContext) {
			p.context(e, false)
		}
	case "properties":
		e.Properties = nil
		if p.isObject(colProperties) {
			p.properties(e)
		}
	case "traits":
		e.Traits, l.email = nil, nil
		if p.isObject(colTraits) {
			e.Traits = p.traits(&l.email)
		}
	default:
		c.Skip()
	}
}
