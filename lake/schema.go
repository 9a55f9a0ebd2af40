package lake

import (
	"fmt"

	"github.com/apache/iceberg-go"

	"kith/event"
	"kith/lake/columns"
)

// tableProperties are those of notes on small commits: manifests merge, metadata does not pile up, and statistics
// are kept of the columns that queries prune by.
func tableProperties() iceberg.Properties {
	p := iceberg.Properties{
		"format-version":                             "2",
		"commit.manifest-merge.enabled":              "true",
		"commit.manifest.min-count-to-merge":         "50",
		"commit.retry.num-retries":                   "0", // one committer, which looks why before it tries again
		"write.metadata.delete-after-commit.enabled": "true",
		"write.metadata.previous-versions-max":       "10",
		"write.parquet.compression-codec":            "zstd",
		"write.parquet.row-group-limit":              "65536",
		"write.parquet.bloom-filter-max-bytes":       "131072",
		"write.delete.mode":                          "copy-on-write",
		"write.update.mode":                          "copy-on-write",
		"write.merge.mode":                           "copy-on-write",
		"write.metadata.metrics.default":             "none",
		seqKey:                                       "1",
	}
	for _, name := range []string{"seq", "ts", "received_at", "anchor"} {
		p["write.metadata.metrics.column."+name] = "full"
	}
	for _, name := range []string{"event", "type", "source"} {
		p["write.metadata.metrics.column."+name] = "truncate(32)"
	}
	return p
}

// icebergSchema is columns.Columns as Iceberg has it.
func icebergSchema() (*iceberg.Schema, error) {
	var fields []iceberg.NestedField
	for _, c := range columns.Columns() {
		typ, err := icebergType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		fields = append(fields, iceberg.NestedField{ID: c.ID, Name: c.Name, Type: typ, Doc: c.Doc})
	}
	return iceberg.NewSchema(0, fields...), nil
}

func icebergType(name string) (iceberg.Type, error) {
	switch name {
	case "long":
		return iceberg.PrimitiveTypes.Int64, nil
	case "int":
		return iceberg.PrimitiveTypes.Int32, nil
	case "double":
		return iceberg.PrimitiveTypes.Float64, nil
	case "boolean":
		return iceberg.PrimitiveTypes.Bool, nil
	case "string":
		return iceberg.PrimitiveTypes.String, nil
	case "timestamptz":
		return iceberg.PrimitiveTypes.TimestampTz, nil
	case "decimal(18,4)":
		return iceberg.DecimalTypeOf(18, 4), nil
	}
	return nil, event.Errorf(event.Internal, "no Iceberg type for %q", name)
}

// checkSchema makes sure that the table has the columns that files are written with, under the same field ids:
// iceberg-go numbers fields itself when it makes a table, and a file read by the wrong ids gives silent nulls.
func (e *eventsTable) checkSchema() error {
	for _, c := range columns.Columns() {
		field, ok := e.t.Schema().FindFieldByName(c.Name)
		want, err := icebergType(c.Type)
		if err != nil {
			return err
		}
		if !ok || field.ID != c.ID || !field.Type.Equals(want) {
			return event.Errorf(event.Corrupt, "the column %s of table clean.events must be field %d of type %s, and is field %d of %v",
				c.Name, c.ID, c.Type, field.ID, field.Type).WithHint("another engine has changed the table, or a newer Kith")
		}
		switch c.Name {
		case "seq":
			e.seqID = c.ID
		case "ts":
			e.tsID = c.ID
		}
	}
	return nil
}
