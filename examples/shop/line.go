package shop

import "time"

// Line is one event as its source sends it.
type Line struct {
	Source   string        // web, app or server
	Text     []byte        // the event as a Segment library puts it into a batch; good until the next line
	Received time.Time     // when it arrives
	Ahead    time.Duration // by which the sender's clock is; below 0 it is behind
	Broken   string        // why Kith cannot take it, in the words of clean.quarantine; empty for a good one
	Again    bool          // it was sent before
}

const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// AppendHistory appends the line as history is sent to the native door, with when it was sent and received.
func (l *Line) AppendHistory(b []byte) []byte {
	b = append(b, `{"sentAt":"`...)
	b = l.Received.Add(l.Ahead).AppendFormat(b, stampLayout)
	b = append(b, `","receivedAt":"`...)
	b = l.Received.AppendFormat(b, stampLayout)
	b = append(b, `",`...)
	return append(b, l.Text[1:]...)
}

// Lines calls fn with every line in order of arrival, until fn fails.
func (w *World) Lines(fn func(*Line) error) error {
	l := w.begin(false)
	writer := writer{w: w}
	var line Line
	for l.day <= History {
		l.live()
		for _, e := range l.arrived() {
			writer.write(l, &e)
			line = Line{Source: e.source.String(), Text: writer.text, Received: time.UnixMilli(e.arrives).UTC(),
				Ahead: time.Duration(e.ahead) * time.Second, Again: e.again > 0}
			if e.what == nonsense {
				line.Broken = fault(e.detail).reason()
			}
			if err := fn(&line); err != nil {
				return err
			}
		}
	}
	return nil
}
