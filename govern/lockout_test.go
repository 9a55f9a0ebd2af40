package govern_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"kith/event"
	"kith/govern"
)

func TestLockOut(t *testing.T) {
	w := newWorld(t)
	w.user(anna, govern.Owner)
	for range 5 {
		_, err := w.login(anna, "a wrong password", "10.0.0.1")
		w.want(err, event.Unauthenticated)
	}
	_, err := w.login(anna, password, "10.0.0.2")
	w.want(err, event.TooMany, "30s")
	locked := (*govern.Locked)(nil)
	if !errors.As(err, &locked) || !locked.Until.Equal(w.now.Add(30*time.Second)) {
		t.Errorf("the error must say until when: %v", err)
	}
	w.close()
	w.open()
	_, err = w.login(anna, password, "10.0.0.2")
	w.want(err, event.TooMany)
	w.now = w.now.Add(30 * time.Second)
	if _, err := w.login(anna, "a wrong password", "10.0.0.1"); event.CodeOf(err) != event.Unauthenticated {
		t.Error("after the wait a try is looked at", err)
	}
	_, err = w.login(anna, password, "10.0.0.2")
	w.want(err, event.TooMany, "1m0s")
	w.now = w.now.Add(time.Minute)
	if _, err := w.login(anna, password, "10.0.0.2"); err != nil {
		t.Error(err)
	}
	if _, err := w.login(anna, "a wrong password", "10.0.0.2"); event.CodeOf(err) != event.Unauthenticated {
		t.Error("a right password forgets the failures", err)
	}
}

func TestLockOutOfAnAddress(t *testing.T) {
	w := newWorld(t)
	w.user(anna, govern.Owner)
	for i := range 20 {
		_, err := w.login(strings.Repeat("x", i+1)+"@example.org", "a wrong password", "2001:db8::1")
		w.want(err, event.Unauthenticated)
	}
	_, err := w.login(anna, password, "2001:db8::2")
	w.want(err, event.TooMany)
	if _, err := w.login(anna, password, "2001:db8:0:1::1"); err != nil {
		t.Error("another network is locked out too", err)
	}
	w.now = w.now.Add(25 * time.Hour)
	if _, err := w.login("y@example.org", "a wrong password", "2001:db8::1"); event.CodeOf(err) != event.Unauthenticated {
		t.Error(err)
	}
	if _, err := w.login(anna, password, "2001:db8::1"); err != nil {
		t.Error("failures must be forgotten", err)
	}
	var rows int
	if err := w.db.QueryRow(`SELECT count(*) FROM failures`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows of failures, %v", rows, err)
	}
}

func TestManyTriesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.user(anna, govern.Owner)
	var group sync.WaitGroup
	var lock sync.Mutex
	looked := 0
	for range 40 {
		group.Go(func() {
			_, err := w.login(anna, "a wrong password", "10.0.0.1")
			lock.Lock()
			defer lock.Unlock()
			if event.CodeOf(err) == event.Unauthenticated {
				looked++
			}
		})
	}
	group.Wait()
	if looked < 5 || looked > 6 { // two hash at once
		t.Errorf("%d tries were looked at", looked)
	}
}
