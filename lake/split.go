package lake

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"kith/event"
)

// dayFile is a Parquet file with the rows of one day, on disk.
type dayFile struct {
	File
	day int64
	crc uint32
}

// maxBuckets bounds the files that a split has open at once.
const maxBuckets = 64

// splitByDay writes the rows of files that hold many days to one file per day in dir, in the order of the days, and
// within a day in the order they came in. Memory and open files are bounded whatever the number of rows and days:
// the days are put into buckets of about batch rows; one pass over the sources appends to each bucket's file what
// belongs there, and then one bucket at a time is sorted in memory. A day that is larger than a bucket has its own
// and is copied a batch at a time.
func splitByDay(sources []string, dir string, batch int) (files []dayFile, err error) {
	if len(sources) == 0 {
		return nil, nil
	}
	s := &splitter{dir: dir, batch: batch}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.survey(sources); err != nil {
		return nil, err
	}
	if err := s.scatter(sources); err != nil {
		return nil, err
	}
	for i := range s.buckets {
		if err := s.gather(&s.buckets[i]); err != nil {
			return nil, err
		}
	}
	return s.files, nil
}

type splitter struct {
	dir     string
	batch   int
	root    *schema.GroupNode
	final   *parquet.WriterProperties // the day files', like the sources'
	ts, seq int                       // indices of the columns
	buckets []bucket
	rows    *rows
	files   []dayFile
}

// bucket holds the rows of the days first to last.
type bucket struct {
	first, last int64
	rows        int
	out         *output
}

// output is a Parquet file being written.
type output struct {
	dayFile
	file *os.File
	buf  *bufio.Writer
	sum  hash.Hash32
	w    *file.Writer
}

// survey reads the sources' footers and times, and lays out the buckets.
func (s *splitter) survey(sources []string) error {
	perDay := make(map[int64]int)
	var shape encodings
	for _, path := range sources {
		r, err := openParquet(path)
		if err != nil {
			return err
		}
		err = func() error {
			if s.root == nil {
				s.root = r.MetaData().Schema.Root()
				s.ts = r.MetaData().Schema.ColumnIndexByName("ts")
				s.seq = r.MetaData().Schema.ColumnIndexByName("seq")
			}
			if err := shape.add(r); err != nil {
				return err
			}
			var ts values[int64]
			for i := range r.NumRowGroups() {
				g := r.RowGroup(i)
				c, err := g.Column(s.ts)
				if err != nil {
					return err
				}
				if err := ts.read(c, int(g.NumRows())); err != nil {
					return err
				}
			}
			for _, t := range ts.all {
				perDay[dayOf(t)]++
			}
			return nil
		}()
		if err := errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
	}
	s.final = shape.properties()
	s.lay(perDay)
	return nil
}

// lay puts the days into buckets.
func (s *splitter) lay(perDay map[int64]int) {
	days, total := make([]int64, 0, len(perDay)), 0
	for day, n := range perDay {
		days = append(days, day)
		total += n
	}
	slices.Sort(days)
	limit := max(s.batch, total*2/maxBuckets+1) // two neighbours together are over it, so there are at most maxBuckets
	for _, day := range days {
		n := perDay[day]
		if last := len(s.buckets) - 1; last >= 0 && s.buckets[last].rows+n <= limit {
			s.buckets[last].last = day
			s.buckets[last].rows += n
			continue
		}
		s.buckets = append(s.buckets, bucket{first: day, last: day, rows: n})
	}
}

// scatter appends every row to its bucket's file.
func (s *splitter) scatter(sources []string) error {
	for i := range s.buckets {
		out, err := s.create(fmt.Sprintf("bucket-%02d", i), parquet.NewWriterProperties(
			parquet.WithDictionaryDefault(false), parquet.WithStats(false), parquet.WithCompression(compress.Codecs.Uncompressed)))
		if err != nil {
			return err
		}
		s.buckets[i].out = out
	}
	for _, path := range sources {
		err := s.eachGroup(path, func(g *file.RowGroupReader) error {
			s.rows.reset()
			if err := s.rows.read(g); err != nil {
				return err
			}
			days := s.sort()
			for i, from := 0, 0; from < len(days); i++ {
				to, _ := slices.BinarySearch(days, s.buckets[i].last+1)
				if to > from {
					if err := s.rows.write(s.buckets[i].out.w, from, to); err != nil {
						return err
					}
				}
				from = max(from, to)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("split %s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

// sort sorts the rows by day and returns each row's day.
func (s *splitter) sort() []int64 {
	ts := s.rows.columns[s.ts].(*values[int64]).all
	order := make([]int32, len(ts))
	for i := range order {
		order[i] = int32(i)
	}
	days := make([]int64, len(ts))
	for i, t := range ts {
		days[i] = dayOf(t)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(days[a], days[b]) })
	s.rows.reorder(order)
	return reordered(days, order)
}

// gather writes a bucket's day files.
func (s *splitter) gather(b *bucket) error {
	if err := b.out.close(); err != nil {
		return err
	}
	var day *output
	end := func() error {
		if day == nil {
			return nil
		}
		err := day.finish()
		s.files = append(s.files, day.dayFile)
		return err
	}
	write := func() error {
		days := s.sort()
		for from := 0; from < len(days); {
			to, _ := slices.BinarySearch(days, days[from]+1)
			if day == nil || b.first != b.last {
				if err := end(); err != nil {
					return err
				}
				var err error
				if day, err = s.create("day-"+dayName(days[from]), s.final); err != nil {
					return err
				}
				day.day = days[from]
			}
			if err := s.rows.write(day.w, from, to); err != nil {
				return err
			}
			s.bounds(day, from, to)
			from = to
		}
		s.rows.reset()
		return nil
	}
	s.rows.reset()
	err := s.eachGroup(b.out.Path, func(g *file.RowGroupReader) error {
		if s.rows.n > 0 && s.rows.n+int(g.NumRows()) > s.batch && b.first == b.last {
			if err := write(); err != nil {
				return err
			}
		}
		return s.rows.read(g)
	})
	if err == nil {
		err = write()
	}
	return errors.Join(err, end(), os.Remove(b.out.Path))
}

// bounds takes the rows from..to into what is known of a day's file.
func (s *splitter) bounds(o *output, from, to int) {
	ts, seq := s.rows.columns[s.ts].(*values[int64]).all[from:to], s.rows.columns[s.seq].(*values[int64]).all[from:to]
	if o.Rows == 0 {
		o.MinTS, o.MaxTS, o.MinSeq, o.MaxSeq = ts[0], ts[0], event.Seq(seq[0]), event.Seq(seq[0])
	}
	o.Rows += int64(to - from)
	o.MinTS, o.MaxTS = min(o.MinTS, slices.Min(ts)), max(o.MaxTS, slices.Max(ts))
	o.MinSeq, o.MaxSeq = min(o.MinSeq, event.Seq(slices.Min(seq))), max(o.MaxSeq, event.Seq(slices.Max(seq)))
}

// eachGroup calls fn with the row groups of a file.
func (s *splitter) eachGroup(path string, fn func(*file.RowGroupReader) error) (err error) {
	r, err := openParquet(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if s.rows == nil {
		if s.rows, err = newRows(r); err != nil {
			return err
		}
	}
	for i := range r.NumRowGroups() {
		if err := fn(r.RowGroup(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *splitter) create(name string, p *parquet.WriterProperties) (*output, error) {
	o := &output{sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	o.Path = filepath.Join(s.dir, "split-"+name+".parquet")
	var err error
	if o.file, err = os.Create(o.Path); err != nil {
		return nil, err
	}
	o.buf = bufio.NewWriterSize(io.MultiWriter(o.file, o.sum), 64<<10)
	root, err := schema.NewGroupNode(s.root.Name(), s.root.RepetitionType(), fields(s.root), -1)
	if err != nil {
		return nil, errors.Join(err, o.file.Close())
	}
	o.w, err = file.NewParquetWriterWithError(struct{ io.Writer }{o.buf}, root, file.WithWriterProps(p))
	if err != nil {
		return nil, errors.Join(err, o.file.Close())
	}
	return o, nil
}

// fields copies the columns of a schema: arrow-go's nodes belong to one schema each.
func fields(root *schema.GroupNode) schema.FieldList {
	list := make(schema.FieldList, root.NumFields())
	for i := range list {
		n := root.Field(i).(*schema.PrimitiveNode)
		list[i] = schema.MustPrimitive(schema.NewPrimitiveNodeLogical(n.Name(), n.RepetitionType(), n.LogicalType(),
			n.PhysicalType(), n.TypeLength(), n.FieldID()))
	}
	return list
}

// finish ends a file that is to stay.
func (o *output) finish() error {
	if err := errors.Join(o.w.Close(), o.buf.Flush(), o.file.Sync()); err != nil {
		return errors.Join(err, o.file.Close())
	}
	info, err := o.file.Stat()
	if err == nil {
		o.Bytes, o.crc = info.Size(), o.sum.Sum32()
	}
	return errors.Join(err, o.file.Close())
}

// close ends a bucket's file; a closed one it leaves.
func (o *output) close() error {
	if o == nil || o.w == nil {
		return nil
	}
	err := errors.Join(o.w.Close(), o.buf.Flush(), o.file.Close())
	o.w = nil
	return err
}

func (s *splitter) close() error {
	var all []error
	for _, b := range s.buckets {
		all = append(all, b.out.close())
	}
	return errors.Join(all...)
}

func openParquet(path string) (*file.Reader, error) {
	return file.OpenParquetFile(path, false)
}

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
