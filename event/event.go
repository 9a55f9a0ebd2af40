// Package event is the dictionary: the words that every stage uses. It imports the standard library only, so every
// package may import it.
package event

// Seq is an event's number in its journal partition: the first column of every event table, and what checkpoints,
// answers and traces speak in. The file backend counts from 1 without gaps; brokers leave gaps.
type Seq int64

// SourceID is a source's number. It is never given twice, while a name may be.
type SourceID int32

// Identifier is one name a person goes by. It is evidence of who they are, never a verdict.
type Identifier struct {
	Kind, Value string // "user_id", "anonymous_id", "email"
}

func (i Identifier) String() string { return i.Kind + ":" + i.Value }

// Trait is one thing said about a person, with the time it was said.
type Trait struct {
	Name  string
	Value any
	Since int64 // microseconds since 1970 UTC
}

// Consent says for which purposes a person's data may be used. Silence is no.
type Consent map[string]bool

// Text is a value as text; nil where the event has none. It points into the buffer that its line was read from, or
// into the reader's scratch space, and is good until the next run is read.
type Text []byte

// Event is one thing that happened, as every stage after the journal sees it: the line's members found, nothing
// copied, with what preparation added. All times are microseconds since 1970 UTC; 0 is none.
type Event struct {
	Seq        Seq
	ReceivedAt int64
	TS         int64 // when it happened, after the rules of package prepare
	SentAt     int64
	OriginalTS int64 // what the client wrote, where TS differs from it
	TimeFix    Text  // why TS differs: "future", "skew"; nil where it does not
	OwnTS      int64 // what the client wrote, before every rule: a resend keeps it, so duplicates are found by it
	HasTime    bool  // whether the client wrote a time at all; OwnTS says nothing where it did not

	Source   Text // the name the source had when it was received
	SourceID SourceID
	Door     Text

	Type      Text // track, identify, page, screen, group, alias
	Event     Text // of a track: "Order Completed"
	Name      Text // of a page or screen
	MessageID Text

	UserID, AnonymousID, PreviousID, GroupID Text
	Email                                    Text // from traits, as an identifier; it has no column
	ClientSessionID                          Text
	Anchor, Person                           int64 // birth numbers of identifiers; 0 is none

	Channel, PageHost, PagePath, PageQuery, PageTitle      Text
	Referrer, ReferrerHost                                 Text
	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent Text
	ClickID, IP                                            Text
	Agent                                                  *Agent // what the user agent says; nil where there is none
	Locale, Timezone, Library, LibraryVersion              Text
	App, AppVersion                                        Text
	ScreenWidth, ScreenHeight                              int32 // pixels; 0 is none
	Revenue, Total, Price, Value                           Money
	Quantity                                               Number
	Currency, ProductID, OrderID, Category, Coupon         Text
	Properties, Traits, Context                            Text // JSON as received; Context only what has no column
}

// Agent is what a user agent string says. It is shared between events and never changed.
type Agent struct {
	Browser, OS, OSVersion, Device string // Device: desktop, phone, tablet, tv, bot
	BrowserVersion                 int32
	Bot                            bool
}

// Money is an amount in ten-thousandths of its currency's unit, the scale of decimal(18,4).
type Money struct {
	Units int64
	Set   bool
}

// Number is a number that may be absent.
type Number struct {
	Float float64
	Set   bool
}

// Result is what a stage did with an event.
type Result string

// The results.
const (
	Accepted    Result = "accepted"
	Duplicate   Result = "duplicate"
	Quarantined Result = "quarantined"
)

// Outcome is what one stage did with one event, and why. Live and trace are made of these.
type Outcome struct {
	Stage  string // the package's name
	Result Result
	Reason string // a stable word, for grouping: "type_unknown"
	Place  string // the field
	Ref    Seq    // the event this one repeats, where Result is Duplicate
}
