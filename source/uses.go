package source

import "context"

// run stores the uses of keys when asked: for a live key at its first use in an hour, for a revoked one at each 1024th
// try, and never while nothing is sent.
func (s *Store) run() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			if err := s.saveUses(context.Background()); err != nil {
				s.log.Error("the last uses of write keys cannot be stored", "error", err)
			}
		}
	}
}

// poke wakes run.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// saveUses stores what changed of the last uses and the tries of revoked keys.
func (s *Store) saveUses(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return wrap("store uses of keys", err)
	}
	defer tx.Rollback()
	var stored []func()
	for _, k := range s.set.Load().keys {
		used, tried := k.used.Load(), k.tried.Load()
		if used == k.saved.used && tried == k.saved.tried {
			continue
		}
		_, err := tx.ExecContext(ctx, `UPDATE write_keys SET used_at = ?, revoked_uses = ? WHERE hash = ?`, used, tried, k.hash[:])
		if err != nil {
			return wrap("store uses of keys", err)
		}
		stored = append(stored, func() { k.saved.used, k.saved.tried = used, tried })
	}
	if err := tx.Commit(); err != nil {
		return wrap("store uses of keys", err)
	}
	for _, note := range stored {
		note()
	}
	return nil
}
