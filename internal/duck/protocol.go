package duck

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"kith/event"
)

// A frame is a length of 4 bytes (little endian, of what follows), one byte that says what it is, and the payload.
// Requests and answers are JSON, but for the data of an answer, which is bytes of the format that was asked for.
type frameKind byte

const (
	frameReady   frameKind = 'r' // child: it is locked and waits; readyMessage
	frameParse   frameKind = 'p' // parent: parse this text; the text itself
	frameTree    frameKind = 't' // child: the syntax tree, as DuckDB's JSON
	frameRun     frameKind = 'q' // parent: run this; Job
	frameColumns frameKind = 'c' // child: the columns, before any data; []Column
	frameData    frameKind = 'd' // child: a piece of the answer, which ends where a row ends
	frameDone    frameKind = 'f' // child: the answer is complete; doneMessage
	frameError   frameKind = 'e' // child: the request failed; Failure
	frameStop    frameKind = 's' // parent: stop the request of this number; 8 bytes
)

// maxFrame bounds what either side allocates on the other's word.
const maxFrame = 64 << 20

type readyMessage struct {
	Sandbox string `json:"sandbox"`
}

type doneMessage struct {
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	Micros int64 `json:"micros"`
}

// Failure is what DuckDB, or a limit, said in the child.
type Failure struct {
	Code     event.Code `json:"code"`
	Kind     string     `json:"kind,omitempty"` // DuckDB's name of it: "Binder", "Out of Memory"
	Message  string     `json:"message"`
	Hint     string     `json:"hint,omitempty"`
	Position int        `json:"position"` // byte offset in the text that was sent; -1 is unknown
	Retire   bool       `json:"retire,omitempty"`
}

func (f *Failure) Error() string { return f.Message }

// Event is the failure as an error that a door can show.
func (f *Failure) Event() *event.Error {
	return &event.Error{Code: f.Code, Message: f.Message, Hint: f.Hint, Err: f}
}

func writeFrame(w io.Writer, kind frameKind, payload []byte) error {
	if len(payload)+1 > maxFrame {
		return fmt.Errorf("frame %q of %d bytes is over %d", kind, len(payload), maxFrame)
	}
	var head [5]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(payload)+1))
	head[4] = byte(kind)
	if len(payload) == 0 {
		_, err := w.Write(head[:])
		return err
	}
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func writeMessage(w io.Writer, kind frameKind, message any) error {
	payload, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode frame %q: %w", kind, err)
	}
	return writeFrame(w, kind, payload)
}

// readFrame returns the next frame. The payload is good until the next call with the same buffer.
func readFrame(r *bufio.Reader, buffer *[]byte) (frameKind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.LittleEndian.Uint32(head[:4])
	if size == 0 || size > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes; it has 1 to %d", size, maxFrame)
	}
	if n := int(size) - 1; cap(*buffer) < n {
		*buffer = make([]byte, n)
	}
	payload := (*buffer)[:size-1]
	_, err := io.ReadFull(r, payload)
	return frameKind(head[4]), payload, err
}
