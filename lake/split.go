package lake

import (
	"cmp"
	"errors"
	"fmt"
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
