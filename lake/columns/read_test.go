package columns_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"kith/event"
)

// row is one row as text, a line for each column that has a value: "3 ts = 1764032527123456".
type row string

// rowOf is what must be read back for e: written by hand, so that it does not depend on the table.
func rowOf(e *event.Event) row {
	var r strings.Builder
	set := func(id int, name string, value any, ok bool) {
		if ok {
			fmt.Fprintf(&r, "%d %s = %v\n", id, name, value)
		}
	}
	text := func(id int, name string, t event.Text) { set(id, name, string(t), t != nil) }
	number := func(id int, name string, n int64) { set(id, name, n, n != 0) }
	money := func(id int, name string, m event.Money) { set(id, name, m.Units, m.Set) }
	agent := event.Agent{}
	if e.Agent != nil {
		agent = *e.Agent
	}
	word := func(id int, name, s string) { set(id, name, s, s != "") }

	number(1, "seq", int64(e.Seq))
	number(2, "received_at", e.ReceivedAt)
	number(3, "ts", e.TS)
	number(4, "sent_at", e.SentAt)
	number(5, "original_timestamp", e.OriginalTS)
	text(6, "time_fix", e.TimeFix)
	text(7, "source", e.Source)
	number(8, "source_id", int64(e.SourceID))
	text(9, "type", e.Type)
	text(10, "event", e.Event)
	text(11, "name", e.Name)
	text(12, "message_id", e.MessageID)
	text(13, "user_id", e.UserID)
	text(14, "anonymous_id", e.AnonymousID)
	text(15, "previous_id", e.PreviousID)
	text(16, "group_id", e.GroupID)
	text(17, "client_session_id", e.ClientSessionID)
	number(18, "anchor", e.Anchor)
	number(19, "person_id", e.Person)
	text(20, "channel", e.Channel)
	text(21, "page_host", e.PageHost)
	text(22, "page_path", e.PagePath)
	text(23, "page_query", e.PageQuery)
	text(24, "page_title", e.PageTitle)
	text(25, "referrer", e.Referrer)
	text(26, "referrer_host", e.ReferrerHost)
	text(27, "utm_source", e.UTMSource)
	text(28, "utm_medium", e.UTMMedium)
	text(29, "utm_campaign", e.UTMCampaign)
	text(30, "utm_term", e.UTMTerm)
	text(31, "utm_content", e.UTMContent)
	text(32, "click_id", e.ClickID)
	text(33, "ip", e.IP)
	word(34, "browser", agent.Browser)
	number(35, "browser_version", int64(agent.BrowserVersion))
	word(36, "os", agent.OS)
	word(37, "os_version", agent.OSVersion)
	word(38, "device", agent.Device)
	set(39, "bot", agent.Bot, e.Agent != nil)
	text(40, "locale", e.Locale)
	text(41, "timezone", e.Timezone)
	text(42, "library", e.Library)
	text(43, "library_version", e.LibraryVersion)
	text(44, "app", e.App)
	text(45, "app_version", e.AppVersion)
	number(46, "screen_width", int64(e.ScreenWidth))
	number(47, "screen_height", int64(e.ScreenHeight))
	money(48, "revenue", e.Revenue)
	money(49, "total", e.Total)
	money(50, "price", e.Price)
	money(51, "value", e.Value)
	set(52, "quantity", e.Quantity.Float, e.Quantity.Set)
	text(53, "currency", e.Currency)
	text(54, "product_id", e.ProductID)
	text(55, "order_id", e.OrderID)
	text(56, "category", e.Category)
	text(57, "coupon", e.Coupon)
	text(58, "properties", e.Properties)
	text(59, "traits", e.Traits)
	text(60, "context", e.Context)
	return row(r.String())
}

// read returns the rows of a file as arrow-go reads them. What arrow-go panics at is an error.
func read(path string) (rows []row, err error) {
	defer func() {
		if r := recover(); r != nil {
			rows, err = nil, fmt.Errorf("read %s: %v", path, r)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader, err := file.NewParquetReader(f)
	if err != nil {
		return nil, err
	}
	arrows, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	table, err := arrows.ReadTable(context.Background())
	if err != nil {
		return nil, err
	}
	defer table.Release()
	texts := make([]strings.Builder, table.NumRows())
	for c := range int(table.NumCols()) {
		at := 0
		for _, chunk := range table.Column(c).Data().Chunks() {
			for i := range chunk.Len() {
				if chunk.IsValid(i) {
					field := table.Schema().Field(c)
					id, _ := field.Metadata.GetValue("PARQUET:field_id")
					fmt.Fprintf(&texts[at], "%s %s = %v\n", id, field.Name, valueAt(chunk, i))
				}
				at++
			}
		}
	}
	for i := range texts {
		rows = append(rows, row(texts[i].String()))
	}
	return rows, nil
}

// valueAt takes only the types that the columns are to be read as.
func valueAt(a arrow.Array, i int) any {
	switch a := a.(type) {
	case *array.String:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Boolean:
		return a.Value(i)
	case *array.Timestamp:
		if t := a.DataType().(*arrow.TimestampType); t.Unit == arrow.Microsecond && t.TimeZone == "UTC" {
			return int64(a.Value(i))
		}
	case *array.Decimal128:
		if d := a.DataType().(*arrow.Decimal128Type); d.Precision == 18 && d.Scale == 4 {
			return int64(a.Value(i).LowBits())
		}
	}
	return fmt.Sprintf("a %s, which no column is", a.DataType())
}

func mustRead(t testing.TB, path string) []row {
	t.Helper()
	rows, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// same fails where got is not want, with the first row that differs.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want []row) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("row %d is\n%s\nand should be\n%s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows instead of %d", len(got), len(want))
	}
}
