package columns

import (
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"kith/event"
)

// value is what a column holds: its type for Iceberg and for Parquet, and a maker of cells that take their values from
// events.
type value struct {
	typ      string
	physical parquet.Type
	logical  schema.LogicalType
	cells    func() cells
}

// The kinds of value follow. Each is given a function that gets the value from an event; nil, zero, empty and unset
// are null.

func text(take func(*event.Event) event.Text) value {
	return value{"string", parquet.Types.ByteArray, schema.StringLogicalType{},
		func() cells { return &texts{take: take} }}
}

func word(take func(*event.Agent) string) value {
	return value{"string", parquet.Types.ByteArray, schema.StringLogicalType{},
		func() cells { return &words{take: take} }}
}

func number(take func(*event.Event) int64) value {
	return value{"long", parquet.Types.Int64, schema.NoLogicalType{},
		func() cells { return &numbers[int64]{take: take} }}
}

func instant(take func(*event.Event) int64) value {
	return value{"timestamptz", parquet.Types.Int64, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros),
		func() cells { return &numbers[int64]{take: take} }}
}

func integer(take func(*event.Event) int32) value {
	return value{"int", parquet.Types.Int32, schema.NoLogicalType{},
		func() cells { return &numbers[int32]{take: take} }}
}

// most is the largest number of 18 digits.
const most = 999_999_999_999_999_999

// amount is stored as Iceberg wants a decimal of up to 18 digits: as the INT64 that event.Money is. More digits than
// that would make the file unreadable for some engines; they are null, and stay in the event's properties.
func amount(take func(*event.Event) event.Money) value {
	unpack := func(e *event.Event) (int64, bool) {
		m := take(e)
		return m.Units, m.Set && -most <= m.Units && m.Units <= most
	}
	return value{"decimal(18,4)", parquet.Types.Int64, schema.NewDecimalLogicalType(18, 4),
		func() cells { return &optionals[int64]{take: unpack} }}
}

func quantity(take func(*event.Event) event.Number) value {
	unpack := func(e *event.Event) (float64, bool) { n := take(e); return n.Float, n.Set }
	return value{"double", parquet.Types.Double, schema.NoLogicalType{},
		func() cells { return &optionals[float64]{take: unpack} }}
}

func flag(take func(*event.Event) (is, known bool)) value {
	return value{"boolean", parquet.Types.Boolean, schema.NoLogicalType{},
		func() cells { return &optionals[bool]{take: take} }}
}
