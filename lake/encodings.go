package lake

import (
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// encodings is how the columns of some files are stored.
type encodings struct {
	created string
	version parquet.Version
	of      []encoding
}

type encoding struct {
	name                string
	dictionary, delta   bool
	statistics, written bool
	codec               compress.Compression
}

// add takes in how a file's columns are stored. A column that has no value in it says nothing.
func (e *encodings) add(r *file.Reader) error {
	m := r.MetaData()
	if e.of == nil {
		e.of = make([]encoding, m.Schema.NumColumns())
		e.created, e.version = m.GetCreatedBy(), m.Version()
	}
	for g := range m.NumRowGroups() {
		for i := range e.of {
			c, err := m.RowGroup(g).ColumnChunk(i)
			if err != nil {
				return err
			}
			of := &e.of[i]
			of.name, of.codec, of.written = m.Schema.Column(i).Name(), c.Compression(), true
			of.dictionary = of.dictionary || c.HasDictionaryPage()
			of.delta = of.delta || slices.Contains(c.Encodings(), parquet.Encodings.DeltaBinaryPacked)
			set, err := c.StatsSet()
			if err != nil {
				return err
			}
			of.statistics = of.statistics || set
		}
	}
	return nil
}

// properties returns those of a writer that stores columns likewise.
func (e *encodings) properties() *parquet.WriterProperties {
	all := []parquet.WriterProperty{parquet.WithCreatedBy(e.created), parquet.WithVersion(e.version),
		parquet.WithDictionaryDefault(false), parquet.WithDataPageSize(1 << 20), parquet.WithDictionaryPageSizeLimit(4 << 20),
		parquet.WithMaxStatsSize(256), parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1)}
	for _, c := range e.of {
		if c.dictionary {
			all = append(all, parquet.WithDictionaryFor(c.name, true))
		} else if c.delta {
			all = append(all, parquet.WithEncodingFor(c.name, parquet.Encodings.DeltaBinaryPacked))
		}
		all = append(all, parquet.WithStatsFor(c.name, c.statistics))
	}
	return parquet.NewWriterProperties(all...)
}
