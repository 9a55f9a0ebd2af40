package collect

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kith/event"
)

const (
	firstBuffer = 64 << 10
	kept        = 1 << 20   // a larger buffer is not kept for the next request
	smallBody   = 256 << 10 // up to here a body does not count as held
	maxWindow   = 8 << 20   // of zstd: what a decoder may keep in memory
)

// read fills x.body with the request's body, unpacked, within the door's bounds.
func (c *Collector) read(x *intake, w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > int64(x.bounds.packed) {
		return tooLong(r.ContentLength, x.bounds.packed)
	}
	from := io.Reader(http.MaxBytesReader(w, r.Body, int64(x.bounds.packed)))
	expect := r.ContentLength
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzip, err := x.gunzip(from)
		if err != nil {
			return readError(err, encoding)
		}
		from, expect = unzip, 0
	case "zstd":
		unzip, err := x.unzstd(from)
		if err != nil {
			return readError(err, encoding)
		}
		defer func() { _ = unzip.Reset(nil) }() // it would keep hold of the request
		from, expect = unzip, 0
	default:
		return event.Errorf(event.Invalid, "a body encoded as %s cannot be read", excerpt([]byte(encoding))).
			At("Content-Encoding", encoding).WithHint("send it plain, or as gzip or zstd")
	}
	err := c.fill(x, from, expect)
	return readError(err, r.Header.Get("Content-Encoding"))
}

// fill reads all there is. The buffer begins at what the sender announces, but no more than a small body: whoever
// announces much and sends nothing must not hold much.
func (c *Collector) fill(x *intake, from io.Reader, expect int64) error {
	x.body = slices.Grow(x.body[:0], max(min(int(expect), smallBody), firstBuffer-1)+1)
	for {
		if len(x.body) == cap(x.body) {
			if err := c.hold(x, cap(x.body)*2); err != nil {
				return err
			}
			x.body = slices.Grow(x.body, len(x.body))
		}
		room := x.body[len(x.body):min(cap(x.body), x.bounds.body+1)]
		n, err := from.Read(room)
		x.body = x.body[:len(x.body)+n]
		switch {
		case len(x.body) > x.bounds.body:
			return event.Errorf(event.TooLarge, "the unpacked body has more than %d bytes, the limit", x.bounds.body).
				WithHint("send it in several requests")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// hold accounts for the buffers of a large request, all together, until it is over.
func (c *Collector) hold(x *intake, size int) error {
	if size <= smallBody {
		return nil
	}
	more := int64(size) - x.held
	if c.held.Add(more) > int64(c.limits.Held) {
		c.held.Add(-more)
		return event.Errorf(event.Unavailable, "the large requests under way hold the memory there is for them, %d bytes",
			c.limits.Held).WithHint("try again, or send smaller requests")
	}
	x.held = int64(size)
	return nil
}

func tooLong(size int64, limit int) error {
	return event.Errorf(event.TooLarge, "the body has %d bytes; the limit is %d", size, limit).
		WithHint("send it in several requests")
}

// readError says why a body could not be read.
func readError(err error, encoding string) error {
	if err == nil {
		return nil
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return event.Errorf(event.TooLarge, "the body has more than %d bytes, the limit", tooLong.Limit).
			WithHint("send it in several requests")
	}
	if known := (*event.Error)(nil); errors.As(err, &known) {
		return err
	}
	if encoding == "" || encoding == "identity" {
		return event.Errorf(event.Invalid, "the body breaks off: %w", err)
	}
	return event.Errorf(event.Invalid, "the body is no %s: %w", excerpt([]byte(encoding)), err)
}

func (x *intake) gunzip(from io.Reader) (*gzip.Reader, error) {
	if x.gzip != nil {
		return x.gzip, x.gzip.Reset(from)
	}
	var err error
	if x.gzip, err = gzip.NewReader(from); err != nil {
		x.gzip = nil
	}
	return x.gzip, err
}

func (x *intake) unzstd(from io.Reader) (*zstd.Decoder, error) {
	if x.zstd != nil {
		return x.zstd, x.zstd.Reset(from)
	}
	var err error
	x.zstd, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	return x.zstd, err
}
