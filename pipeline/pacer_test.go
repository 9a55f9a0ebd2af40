package pipeline

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTheTimerIsArmedOnlyWhileSomethingWaits looks at the timer itself: one that fires for nothing would wake a process
// that has nothing to do, and no other door shows it.
func TestTheTimerIsArmedOnlyWhileSomethingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fired := 0
		p := newPacer(DefaultPace(), 1, func() { fired++ })
		idle := func(when string) {
			t.Helper()
			if p.timer.Stop() {
				t.Errorf("it is armed %s", when)
			}
		}
		idle("before anything came")
		p.want(1, time.Now())
		idle("for a reader of what is there")
		p.want(9, time.Now())
		idle("for a reader of what has not come, which is then what flushes")
		if !p.due(9, time.Now()) {
			t.Error("a reader waits, and the last flush was long ago")
		}
		p.done(9, time.Now())
		idle("after a flush of everything")
		if p.due(10, time.Now()) {
			t.Error("the last flush was just now")
		}
		time.Sleep(DefaultPace().Interval)
		synctest.Wait()
		if fired != 1 {
			t.Errorf("fired %d times for what waits", fired)
		}
		idle("after it fired: who flushes arms it again if need be")
		p.due(11, time.Now())
		p.done(11, time.Now())
		idle("after a flush that came before it")
		p.due(12, time.Now())
		p.stop()
		idle("after the end")
		p.want(13, time.Now())
		p.due(13, time.Now())
		idle("for a reader after the end")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if fired != 1 {
			t.Errorf("fired %d times, in the end", fired)
		}
	})
}
