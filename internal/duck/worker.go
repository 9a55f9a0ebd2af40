package duck

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"kith/event"
)

// ChildVariable is the environment variable that makes a process a child: its settings, as JSON. A program whose
// Options.Command is itself calls Main when it is set.
const ChildVariable = "KITH_DUCK_CHILD"

// The pipes that a child is born with. Standard output is not one of them: DuckDB writes there when it likes.
const (
	requestFD = 3
	answerFD  = 4
)

// childConfig is what a child is told before it can ask. It is all of its environment.
type childConfig struct {
	Folder       string   `json:"folder"` // its own, writable: spilled data, copies made for a query
	Read         []string `json:"read"`
	AddressSpace int64    `json:"address_space"`
	Memory       int64    `json:"memory"`
	Spill        int64    `json:"spill"`
	Threads      int      `json:"threads"`
	Sandbox      string   `json:"sandbox,omitempty"` // set once the process is confined
}

func (c childConfig) variable() string {
	text, err := json.Marshal(c)
	if err != nil {
		text = nil // texts and numbers: there is nothing that could fail
	}
	return ChildVariable + "=" + string(text)
}

// Main is a child's life: it confines itself, executes itself again, and answers requests until its parent closes
// the pipe. It returns the process's exit status.
func Main() int {
	var config childConfig
	if err := json.Unmarshal([]byte(os.Getenv(ChildVariable)), &config); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v; this command is started by the server\n", ChildVariable, err)
		return 2
	}
	if config.Sandbox == "" {
		runtime.LockOSThread()
		fmt.Fprintln(os.Stderr, become(config))
		return 1
	}
	debug.SetMemoryLimit(192 << 20) // of Go's own heap: what an answer is encoded in
	w := &worker{config: config, answers: bufio.NewWriterSize(os.NewFile(answerFD, "answers"), pieceSize+1024)}
	fmt.Fprintln(os.Stderr, w.serve(os.NewFile(requestFD, "requests")))
	return 1
}

// worker answers one request at a time.
type worker struct {
	config  childConfig
	parser  *database // locked, without any file; it only parses
	spare   *database // opened while nothing is asked, so that the next query need not wait for it
	answers *bufio.Writer

	mu      sync.Mutex
	number  uint64    // of the request being worked on
	stopped uint64    // the last request that was told to stop
	running *database // what to interrupt
}

type request struct {
	kind    frameKind
	payload []byte
}

// serve answers requests until one cannot be answered; a pipe that closes ends the process in listen.
func (w *worker) serve(pipe *os.File) error {
	parser, err := w.open(nil)
	if err != nil {
		return err
	}
	w.parser = parser
	if err := w.answer(frameReady, readyMessage{Sandbox: w.config.Sandbox}); err != nil {
		return err
	}
	requests := make(chan request, 1)
	go w.listen(pipe, requests)
	for {
		if w.spare == nil {
			if w.spare, err = openDatabase(w.config); err != nil {
				return err
			}
		}
		r := <-requests // listen ends the process when there are no more
		w.mu.Lock()
		w.number++
		w.mu.Unlock()
		if err := w.handle(r); err != nil {
			return err
		}
	}
}

// listen reads what the parent says, also while a query runs. When the parent is gone, so is this process, in the
// middle of whatever it does.
func (w *worker) listen(pipe *os.File, requests chan<- request) {
	r := bufio.NewReader(pipe)
	for {
		var buffer []byte
		kind, payload, err := readFrame(r, &buffer)
		if err != nil {
			os.Exit(0)
		}
		if kind != frameStop || len(payload) != 8 {
			requests <- request{kind, payload}
			continue
		}
		number := binary.LittleEndian.Uint64(payload)
		w.mu.Lock()
		w.stopped = number
		w.mu.Unlock()
		go w.interrupt(number)
	}
}

// interrupt stops a request. DuckDB forgets an interrupt when the next statement of the request begins, so it is said
// again until the request is over, or the parent has waited long enough.
func (w *worker) interrupt(number uint64) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		w.mu.Lock()
		over := w.number != number || w.running == nil
		if !over {
			duckdb.Interrupt(w.running.conn)
		}
		w.mu.Unlock()
		if over {
			return
		}
		<-again.C
	}
}

// handle answers one request. It returns an error only when nobody can be answered any more.
func (w *worker) handle(r request) error {
	var err error
	switch r.kind {
	case frameParse:
		var tree []byte
		if tree, err = w.parser.tree(string(r.payload)); err == nil && len(tree) >= maxFrame {
			err = &Failure{Code: event.TooLarge, Message: "the query is too large to be looked through", Position: -1}
		} else if err == nil {
			err = writeFrame(w.answers, frameTree, tree)
		}
	case frameRun:
		var job Job
		if err = json.Unmarshal(r.payload, &job); err == nil {
			err = w.run(job)
		}
	default:
		err = fmt.Errorf("there is no request %q", r.kind)
	}
	if err == nil {
		return w.answers.Flush()
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Code: event.Internal, Message: err.Error(), Position: -1, Retire: true}
	}
	if err := w.answer(frameError, f); err != nil {
		return err
	}
	if f.Retire {
		return fmt.Errorf("end after %s: %s", f.Kind, f.Message)
	}
	return nil
}

func (w *worker) answer(kind frameKind, message any) error {
	if err := writeMessage(w.answers, kind, message); err != nil {
		return fmt.Errorf("answer the parent: %w", err)
	}
	return w.answers.Flush()
}

// open locks the spare database, or one that it opens now, for the files of one query.
func (w *worker) open(paths []string) (*database, error) {
	d := w.spare
	w.spare = nil
	if d == nil {
		var err error
		if d, err = openDatabase(w.config); err != nil {
			return nil, err
		}
	}
	if err := d.lock(w.config, paths); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// watch makes d what a stop interrupts; it reports whether the request was stopped already.
func (w *worker) watch(d *database) (stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = d
	return w.stopped == w.number
}

func (w *worker) run(job Job) error {
	started := time.Now()
	d, err := w.open(job.Paths)
	if err != nil {
		return err
	}
	defer d.close()
	defer w.watch(nil)
	if w.watch(d) {
		return &Failure{Code: event.Canceled, Message: "stopped before it began", Position: -1}
	}
	for _, v := range job.Views {
		if err := d.exec(v.statement()); err != nil {
			return ofView(v, err)
		}
	}
	if w.isStopped() {
		return &Failure{Code: event.Canceled, Message: "stopped before it began", Position: -1}
	}
	s, err := d.prepare(job.Query)
	if err != nil {
		return err
	}
	defer s.close()
	return w.stream(job, s, started)
}

// ofView keeps a failure inside a view of ours from pointing into the user's text.
func ofView(v View, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		return err
	}
	f.Position = -1
	f.Message = fmt.Sprintf("%s.%s cannot be read: %s", v.Schema, v.Name, f.Message)
	if f.Code == event.Invalid || f.Code == event.Usage {
		f.Code = event.Corrupt
	}
	return f
}

func (w *worker) stream(job Job, s *statement, started time.Time) error {
	columns, err := columnsOf(s)
	if err != nil {
		return err
	}
	if !job.Format.Known() {
		return &Failure{Code: event.Usage, Position: -1, Message: fmt.Sprintf("there is no format %q", job.Format), Hint: "formats: " + formatList()}
	}
	out := &output{w: w.answers, limit: job.MaxBytes}
	r, err := s.stream()
	if err != nil {
		return err
	}
	defer r.close()
	if err := writeMessage(w.answers, frameColumns, columns); err != nil {
		return err
	}
	encode, err := newEncoder(job, columns, s.types, out)
	if err != nil {
		return err
	}
	done := doneMessage{}
	for {
		more, err := r.next()
		if err != nil {
			r.close() // before the statement runs again
			out.limit = 0
			return errors.Join(w.reason(s, err), out.flush())
		}
		if !more {
			break
		}
		if done.Rows += int64(r.size); job.MaxRows > 0 && done.Rows > job.MaxRows {
			return &Failure{Code: event.Resource, Position: -1,
				Message: fmt.Sprintf("the answer has more rows than the limit of %d", job.MaxRows),
				Hint:    "add LIMIT, aggregate, or ask for a higher limit"}
		}
		if err := encode.chunk(r); err != nil {
			return err
		}
	}
	done.Micros = time.Since(started).Microseconds()
	if err := encode.end(done.Rows, float64(done.Micros)/1000); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	done.Bytes = out.sent
	return w.answer(frameDone, done) // at once: closing DuckDB takes longer than a small query
}

// reason finds why a query failed. When one of DuckDB's threads fails, the others are interrupted, and now and then it
// is their error that the query ends with, though nobody stopped it. The true one comes when the query runs again.
func (w *worker) reason(s *statement, err error) error {
	for range 3 {
		var f *Failure
		if !errors.As(err, &f) || f.Code != event.Canceled || w.isStopped() {
			return err
		}
		again, failed := s.stream()
		if failed != nil {
			err = failed
			continue
		}
		more := true
		for more && failed == nil {
			more, failed = again.next()
		}
		again.close()
		if err = failed; err == nil {
			break
		}
	}
	return &Failure{Code: event.Unavailable, Position: -1, Message: "the query failed while its answer was being made", Hint: "try again"}
}

func (w *worker) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped == w.number
}
