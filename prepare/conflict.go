package prepare

import "sync/atomic"

// column is a place for one value, for counting what did not fit.
type column uint8

const (
	colSource column = iota
	colDoor
	colType
	colEvent
	colName
	colMessageID
	colUserID
	colAnonymousID
	colPreviousID
	colGroupID
	colEmail
	colSession
	colSentAt
	colChannel
	colPageURL
	colPagePath
	colPageQuery
	colPageTitle
	colReferrer
	colUTMSource
	colUTMMedium
	colUTMCampaign
	colUTMTerm
	colUTMContent
	colIP
	colUserAgent
	colDevice
	colOS
	colOSVersion
	colLocale
	colTimezone
	colLibrary
	colLibraryVersion
	colApp
	colAppVersion
	colScreenWidth
	colScreenHeight
	colRevenue
	colTotal
	colPrice
	colValue
	colQuantity
	colCurrency
	colProductID
	colOrderID
	colCategory
	colCoupon
	colProperties
	colTraits
	colContext
	columns
)

func (c column) String() string {
	return [columns]string{
		"source", "door", "type", "event", "name", "message_id", "user_id", "anonymous_id", "previous_id", "group_id",
		"email", "client_session_id", "sent_at", "channel", "page_url", "page_path", "page_query", "page_title",
		"referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "ip", "user_agent", "device",
		"os", "os_version", "locale", "timezone", "library", "library_version", "app", "app_version", "screen_width",
		"screen_height", "revenue", "total", "price", "value", "quantity", "currency", "product_id", "order_id",
		"category", "coupon", "properties", "traits", "context",
	}[c]
}

// Counter says how often a column was given something that it cannot hold.
type Counter struct {
	Column    string
	Conflicts int64
}

type conflicts [columns]atomic.Int64

func (p *Preparer) conflict(col column) { p.conflicts[col].Add(1) }

// Counters lists the columns that were given another type than theirs since New, in a fixed order. Any goroutine may
// call it.
func (p *Preparer) Counters() (all []Counter) {
	for col := range columns {
		if n := p.conflicts[col].Load(); n != 0 {
			all = append(all, Counter{col.String(), n})
		}
	}
	return all
}
