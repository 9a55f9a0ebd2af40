package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kith/event"
	"kith/journal"
	"kith/journal/faultfs"
	"kith/journal/journaltest"
)

// slowLog is a log whose appends begin when the test lets them.
type slowLog struct {
	journal.Log
	begun chan journal.Frame // each append, as it comes
	end   chan error         // what each append returns
	mu    sync.Mutex
	next  event.Seq
}

func newSlowLog() *slowLog {
	return &slowLog{begun: make(chan journal.Frame), end: make(chan error), next: 100}
}

func (l *slowLog) Append(_ context.Context, _ int, f journal.Frame) (event.Seq, error) {
	f.Lines = []byte(string(f.Lines))
	l.begun <- f
	err := <-l.end
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.next
	if err == nil {
		l.next += event.Seq(f.Count)
	}
	return first, err
}

func (l *slowLog) Bounds(context.Context, int) (first, next event.Seq, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 100, l.next, nil
}

type answer struct {
	who string
	seq event.Seq
	err error
}

// send appends in a goroutine and puts the answer in the channel.
func send(ctx context.Context, w *journal.Writer, who string, n int, to chan<- answer) {
	go func() {
		seq, err := w.Append(ctx, journaltest.Lines(who, 0, n), n)
		to <- answer{who, seq, err}
	}()
	synctest.Wait()
}

func TestWriterGathersWhileACommitIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		w := journal.NewWriter(log, 0, journal.WriterOptions{})
		if w.Durable() != 100 {
			t.Errorf("durable %d before anything was appended", w.Durable())
		}
		send(t.Context(), w, "a", 2, answers)
		if f := <-log.begun; f.Count != 2 {
			t.Fatalf("first commit has %d lines", f.Count)
		}
		send(t.Context(), w, "b", 1, answers)
		send(t.Context(), w, "c", 3, answers)
		log.end <- nil
		if got := <-answers; got != (answer{"a", 100, nil}) || w.Durable() != 102 {
			t.Errorf("%+v, durable %d", got, w.Durable())
		}
		f := <-log.begun
		if want := string(journaltest.Lines("b", 0, 1)) + string(journaltest.Lines("c", 0, 3)); string(f.Lines) != want {
			t.Errorf("second commit is\n%s", f.Lines)
		}
		if len(answers) != 0 {
			t.Errorf("answered before it was durable: %+v", <-answers)
		}
		log.end <- nil
		got := map[string]event.Seq{}
		for range 2 {
			a := <-answers
			got[a.who] = a.seq
		}
		if got["b"] != 102 || got["c"] != 103 || w.Durable() != 106 {
			t.Errorf("seqs %v, durable %d", got, w.Durable())
		}
	})
}

func TestWriterTellsAllWhoWaitOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		w := journal.NewWriter(log, 0, journal.WriterOptions{})
		send(t.Context(), w, "a", 1, answers)
		<-log.begun
		send(t.Context(), w, "b", 1, answers)
		send(t.Context(), w, "c", 1, answers)
		log.end <- nil
		<-answers
		<-log.begun
		broken := event.Errorf(event.Unavailable, "broken")
		log.end <- broken
		for range 2 {
			if a := <-answers; !errors.Is(a.err, broken) {
				t.Errorf("%+v", a)
			}
		}
		if w.Durable() != 101 {
			t.Errorf("durable %d", w.Durable())
		}
	})
}

func TestWriterCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		size := int64(len(journaltest.Lines("a", 0, 1)))
		w := journal.NewWriter(log, 0, journal.WriterOptions{MaxPending: 3 * size})
		send(t.Context(), w, "a", 1, answers)
		<-log.begun
		gaveUp, giveUp := context.WithCancel(t.Context())
		send(gaveUp, w, "b", 1, answers) // is taken
		noRoom, leave := context.WithCancel(t.Context())
		send(noRoom, w, "c", 2, answers)      // waits for room
		send(t.Context(), w, "d", 1, answers) // would fit, but came after c
		giveUp()
		if a := <-answers; a.who != "b" || !errors.Is(a.err, context.Canceled) {
			t.Errorf("%+v", a)
		}
		log.end <- nil
		<-answers // a, which makes room for c but not for d
		if f := <-log.begun; string(f.Lines) != string(journaltest.Lines("b", 0, 1)) {
			t.Errorf("the commit after a's is %s, want b's, though its caller has gone", f.Lines)
		}
		send(noRoom, w, "e", 1, answers)
		leave() // c is taken, e waits behind d
		synctest.Wait()
		for range 2 {
			if a := <-answers; (a.who != "c" && a.who != "e") || !errors.Is(a.err, context.Canceled) {
				t.Errorf("%+v", a)
			}
		}
		log.end <- nil
		if f := <-log.begun; string(f.Lines) != string(journaltest.Lines("c", 0, 2)) {
			t.Errorf("then comes %s", f.Lines)
		}
		log.end <- nil
		if f := <-log.begun; string(f.Lines) != string(journaltest.Lines("d", 0, 1)) {
			t.Errorf("then comes %s", f.Lines)
		}
		log.end <- nil
		if a := <-answers; a.who != "d" || a.err != nil {
			t.Errorf("%+v", a)
		}
		synctest.Wait()
		if len(log.begun) != 0 || w.Durable() != 105 {
			t.Errorf("durable %d: e was stored though it was told that it is not", w.Durable())
		}
	})
}

// TestWriterLetsOthersInWhenTheFirstInLineLeaves: room that the one who left was waiting for is enough for the next.
func TestWriterLetsOthersInWhenTheFirstInLineLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		size := int64(len(journaltest.Lines("a", 0, 1)))
		w := journal.NewWriter(log, 0, journal.WriterOptions{MaxPending: 2 * size})
		send(t.Context(), w, "a", 1, answers)
		<-log.begun
		ctx, cancel := context.WithCancel(t.Context())
		send(ctx, w, "b", 2, answers)
		send(t.Context(), w, "c", 1, answers)
		cancel()
		<-answers
		synctest.Wait()
		log.end <- nil
		<-answers
		if f := <-log.begun; string(f.Lines) != string(journaltest.Lines("c", 0, 1)) {
			t.Errorf("commit of %s", f.Lines)
		}
		log.end <- nil
		<-answers
	})
}

func TestWriterHoldsBackWhenTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		size := int64(len(journaltest.Lines("a", 0, 1)))
		w := journal.NewWriter(log, 0, journal.WriterOptions{MaxPending: 2 * size, MaxCommit: int(size)})
		for i := range 4 {
			send(t.Context(), w, fmt.Sprint(i), 1, answers)
		}
		for i := range 4 { // in order of arrival, one at a time for MaxCommit
			if f := <-log.begun; string(f.Lines) != string(journaltest.Lines(fmt.Sprint(i), 0, 1)) {
				t.Errorf("commit %d is %s", i, f.Lines)
			}
			log.end <- nil
			<-answers
		}
		send(t.Context(), w, "huge", 50, answers) // more than all the room: alone, but taken
		if f := <-log.begun; f.Count != 50 {
			t.Errorf("commit of %d", f.Count)
		}
		log.end <- nil
		if a := <-answers; a.err != nil {
			t.Error(a.err)
		}
	})
}

func TestWriterLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, answers := newSlowLog(), make(chan answer, 9)
		w := journal.NewWriter(log, 0, journal.WriterOptions{Linger: 5 * time.Millisecond})
		start := time.Now()
		send(t.Context(), w, "a", 1, answers)
		send(t.Context(), w, "b", 1, answers)
		if f := <-log.begun; f.Count != 2 || time.Since(start) != 5*time.Millisecond {
			t.Errorf("commit of %d after %v", f.Count, time.Since(start))
		}
		log.end <- nil
		<-answers
		<-answers
	})
}

func TestWriterRefusesOneBadAppendAlone(t *testing.T) {
	f := open(t, "/j", on(faultfs.NewMem()))
	w := journal.NewWriter(f, 0, journal.WriterOptions{})
	_, err := w.Append(t.Context(), []byte("[]\n"), 1)
	wantError(t, err, event.Invalid, "line 1 of 1")
	_, err = w.Append(t.Context(), journaltest.Lines("web", 0, 1+journal.MaxFrameEvents), 1+journal.MaxFrameEvents)
	wantError(t, err, event.TooLarge, "65536")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Append(ctx, journaltest.Lines("web", 0, 1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("append with a context that ended: %v", err)
	}
	if seq, err := w.Append(t.Context(), journaltest.Lines("web", 0, 1), 1); seq != 1 || err != nil {
		t.Errorf("seq %d, %v", seq, err)
	}
	hold(t, f, 1)
}

// TestWriterGivesEveryoneTheirSeq: what a caller is told is where its lines are.
func TestWriterGivesEveryoneTheirSeq(t *testing.T) {
	f := open(t, "/j", on(faultfs.NewMem()))
	w := journal.NewWriter(f, 0, journal.WriterOptions{MaxCommit: 700})
	const writers, appends = 16, 20
	firsts := make([][]event.Seq, writers)
	var wg sync.WaitGroup
	for i := range writers {
		firsts[i] = make([]event.Seq, appends)
		wg.Go(func() {
			for j := range appends {
				seq, err := w.Append(t.Context(), journaltest.Lines(fmt.Sprint("w", i), j*3, 3), 3)
				if err != nil {
					t.Errorf("append: %v", err)
				}
				if w.Durable() < seq+3 {
					t.Errorf("durable %d, but %d was answered", w.Durable(), seq)
				}
				firsts[i][j] = seq
			}
		})
	}
	wg.Wait()
	lines, err := journaltest.Collect(t.Context(), f, 0, 1, writers*appends*3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		for j, first := range firsts[i] {
			for k := range 3 {
				line := lines[int(first)-1+k]
				if want := journaltest.Stamped(fmt.Sprint("w", i), j*3+k, first+event.Seq(k), line.At); line.Text != want {
					t.Fatalf("seq %d is %s, want %s", line.Seq, line.Text, want)
				}
			}
		}
	}
}
