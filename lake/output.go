package lake

import (
	"bufio"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// output is a Parquet file being written.
type output struct {
	dayFile
	file *os.File
	buf  *bufio.Writer
	sum  hash.Hash32
	w    *file.Writer
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
