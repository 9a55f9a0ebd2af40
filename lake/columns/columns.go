// Package columns turns events into the columns of clean.events and those into Parquet files: a [Set] collects rows,
// [Set.Write] makes them one row group, and [Join] makes many such files one without decoding a byte of them.
package columns

import "kith/event"

// Column is one column of clean.events. Every column is optional; a row that has no value for it holds null.
type Column struct {
	ID   int    // Iceberg field id: what other engines know the column by. Given once, for ever.
	Name string // as SQL sees it
	Type string // Iceberg type: long, int, double, boolean, string, timestamptz (UTC µs), decimal(18,4)
	Doc  string // one sentence
}

// Columns returns the definition of clean.events, in the order in which the files hold the columns.
func Columns() []Column {
	all := make([]Column, len(table))
	for i, d := range table {
		all[i] = Column{ID: d.id, Name: d.name, Type: d.value.typ, Doc: d.doc}
	}
	return all
}

// encoding is how a column's values lie in a file.
type encoding int

const (
	plain  encoding = iota // one after the other
	dict                   // as indices into a dictionary: for text whose values return
	delta                  // as differences from the one before: for numbers that mostly grow
	unique                 // all lengths, then all bytes: for ids that never return, a tenth smaller than plain
	long                   // plain, without the smallest and the largest in the footer, which would help no reader
)

// definition is one row of the table: all that the package knows of a column.
type definition struct {
	id       int
	name     string
	encoding encoding
	value    value
	doc      string
}

// table defines clean.events. A new column is one more row at the end, with the next id. A row is never taken out
// and an id never changed: files that were written long ago are read by them.
var table = [...]definition{
	{1, "seq", delta, number(func(e *event.Event) int64 { return int64(e.Seq) }),
		"The event's number in its journal partition."},
	{2, "received_at", delta, instant(func(e *event.Event) int64 { return e.ReceivedAt }),
		"When Kith received it."},
	{3, "ts", delta, instant(func(e *event.Event) int64 { return e.TS }),
		"When it happened, corrected for the client's clock."},
	{4, "sent_at", delta, instant(func(e *event.Event) int64 { return e.SentAt }),
		"When the client sent it, by the client's clock."},
	{5, "original_timestamp", delta, instant(func(e *event.Event) int64 { return e.OriginalTS }),
		"What the client gave as the time, where ts differs from it."},
	{6, "time_fix", dict, text(func(e *event.Event) event.Text { return e.TimeFix }),
		"Why ts differs from what the client gave: future or skew."},
	{7, "source", dict, text(func(e *event.Event) event.Text { return e.Source }),
		"Name that the source had when the event was received."},
	{8, "source_id", dict, integer(func(e *event.Event) int32 { return int32(e.SourceID) }),
		"Number of the source, which is never given twice."},
	{9, "type", dict, text(func(e *event.Event) event.Text { return e.Type }),
		"Kind of call: track, identify, page, screen, group or alias."},
	{10, "event", dict, text(func(e *event.Event) event.Text { return e.Event }),
		"What a track call says happened, such as Order Completed."},
	{11, "name", dict, text(func(e *event.Event) event.Text { return e.Name }),
		"Name of the page or screen of a page or screen call."},
	{12, "message_id", unique, text(func(e *event.Event) event.Text { return e.MessageID }),
		"The client's own id of the message, by which resends are recognised."},
	{13, "user_id", dict, text(func(e *event.Event) event.Text { return e.UserID }),
		"The customer's id in the company's own systems."},
	{14, "anonymous_id", dict, text(func(e *event.Event) event.Text { return e.AnonymousID }),
		"Id of the browser or device, given before anybody logs in."},
	{15, "previous_id", dict, text(func(e *event.Event) event.Text { return e.PreviousID }),
		"The id that an alias call replaces."},
	{16, "group_id", dict, text(func(e *event.Event) event.Text { return e.GroupID }),
		"The company or team that the user belongs to."},
	{17, "client_session_id", dict, text(func(e *event.Event) event.Text { return e.ClientSessionID }),
		"Session as the client counts it."},
	{18, "anchor", plain, number(func(e *event.Event) int64 { return e.Anchor }),
		"Birth number of the strongest identifier in the event; join people by it."},
	{19, "person_id", plain, number(func(e *event.Event) int64 { return e.Person }),
		"The person as known when the event was written: the birth number of their oldest identifier."},
	{20, "channel", dict, text(func(e *event.Event) event.Text { return e.Channel }),
		"Where the call was made: browser, mobile or server."},
	{21, "page_host", dict, text(func(e *event.Event) event.Text { return e.PageHost }),
		"Host of the page's address."},
	{22, "page_path", dict, text(func(e *event.Event) event.Text { return e.PagePath }),
		"Path of the page's address."},
	{23, "page_query", long, text(func(e *event.Event) event.Text { return e.PageQuery }),
		"Query of the page's address, without the question mark."},
	{24, "page_title", dict, text(func(e *event.Event) event.Text { return e.PageTitle }),
		"Title of the page."},
	{25, "referrer", dict, text(func(e *event.Event) event.Text { return e.Referrer }),
		"Address of the page before this one."},
	{26, "referrer_host", dict, text(func(e *event.Event) event.Text { return e.ReferrerHost }),
		"Host of the referrer."},
	{27, "utm_source", dict, text(func(e *event.Event) event.Text { return e.UTMSource }),
		"Campaign source, such as a newsletter."},
	{28, "utm_medium", dict, text(func(e *event.Event) event.Text { return e.UTMMedium }),
		"Campaign medium, such as email or cpc."},
	{29, "utm_campaign", dict, text(func(e *event.Event) event.Text { return e.UTMCampaign }),
		"Campaign name."},
	{30, "utm_term", dict, text(func(e *event.Event) event.Text { return e.UTMTerm }),
		"Campaign search term."},
	{31, "utm_content", dict, text(func(e *event.Event) event.Text { return e.UTMContent }),
		"Which advertisement or link of the campaign."},
	{32, "click_id", unique, text(func(e *event.Event) event.Text { return e.ClickID }),
		"The advertising network's id of the click."},
	{33, "ip", dict, text(func(e *event.Event) event.Text { return e.IP }),
		"Network address that the event came from."},
	{34, "browser", dict, word(func(a *event.Agent) string { return a.Browser }),
		"Browser, by the user agent."},
	{35, "browser_version", dict, integer(browserVersion),
		"Major version of the browser."},
	{36, "os", dict, word(func(a *event.Agent) string { return a.OS }),
		"Operating system, by the user agent."},
	{37, "os_version", dict, word(func(a *event.Agent) string { return a.OSVersion }),
		"Version of the operating system."},
	{38, "device", dict, word(func(a *event.Agent) string { return a.Device }),
		"Kind of device: desktop, phone, tablet, tv or bot."},
	{39, "bot", plain, flag(func(e *event.Event) (bool, bool) { return e.Agent != nil && e.Agent.Bot, e.Agent != nil }),
		"Whether the user agent says that it is a machine; null without a user agent."},
	{40, "locale", dict, text(func(e *event.Event) event.Text { return e.Locale }),
		"Language and country of the client, such as de-CH."},
	{41, "timezone", dict, text(func(e *event.Event) event.Text { return e.Timezone }),
		"Time zone of the client, such as Europe/Zurich."},
	{42, "library", dict, text(func(e *event.Event) event.Text { return e.Library }),
		"Library that made the call."},
	{43, "library_version", dict, text(func(e *event.Event) event.Text { return e.LibraryVersion }),
		"Version of that library."},
	{44, "app", dict, text(func(e *event.Event) event.Text { return e.App }),
		"Name of the app."},
	{45, "app_version", dict, text(func(e *event.Event) event.Text { return e.AppVersion }),
		"Version of the app."},
	{46, "screen_width", dict, integer(func(e *event.Event) int32 { return e.ScreenWidth }),
		"Width of the screen in pixels."},
	{47, "screen_height", dict, integer(func(e *event.Event) int32 { return e.ScreenHeight }),
		"Height of the screen in pixels."},
	{48, "revenue", dict, amount(func(e *event.Event) event.Money { return e.Revenue }),
		"What the event earned, in the currency's unit."},
	{49, "total", dict, amount(func(e *event.Event) event.Money { return e.Total }),
		"Sum of an order with taxes and shipping, in the currency's unit."},
	{50, "price", dict, amount(func(e *event.Event) event.Money { return e.Price }),
		"Price of one piece, in the currency's unit."},
	{51, "value", dict, amount(func(e *event.Event) event.Money { return e.Value }),
		"Value that the client gives the event, in the currency's unit."},
	{52, "quantity", dict, quantity(func(e *event.Event) event.Number { return e.Quantity }),
		"How many pieces."},
	{53, "currency", dict, text(func(e *event.Event) event.Text { return e.Currency }),
		"Currency of the amounts, by its ISO 4217 code."},
	{54, "product_id", dict, text(func(e *event.Event) event.Text { return e.ProductID }),
		"The product, by the id that the shop gives it."},
	{55, "order_id", unique, text(func(e *event.Event) event.Text { return e.OrderID }),
		"The order, by the id that the shop gives it."},
	{56, "category", dict, text(func(e *event.Event) event.Text { return e.Category }),
		"Category of the product or page."},
	{57, "coupon", dict, text(func(e *event.Event) event.Text { return e.Coupon }),
		"Coupon that was used."},
	{58, "properties", long, text(func(e *event.Event) event.Text { return e.Properties }),
		"All properties, as the JSON text that was received."},
	{59, "traits", long, text(func(e *event.Event) event.Text { return e.Traits }),
		"All traits, as the JSON text that was received."},
	{60, "context", long, text(func(e *event.Event) event.Text { return e.Context }),
		"What of the context has no column, as JSON text."},
}

func browserVersion(e *event.Event) int32 {
	if e.Agent == nil {
		return 0
	}
	return e.Agent.BrowserVersion
}
