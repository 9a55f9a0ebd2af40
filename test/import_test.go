package test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestImportOutlivesTheServer stops the server in the middle of an import: the command opens the folder itself, as it
// does where no server runs, and goes on.
func TestImportOutlivesTheServer(t *testing.T) {
	slow(t)
	s := start(t, t.TempDir())
	s.kith("source", "create", "shop")
	dir, rows := t.TempDir(), 600_000
	var file bytes.Buffer
	file.WriteString("id,when,who\n")
	for i := range rows {
		fmt.Fprintf(&file, "%d,2026-01-01 10:00:00,u%d\n", i, i%1000)
	}
	put(t, filepath.Join(dir, "big.csv"), file.String())
	put(t, filepath.Join(dir, "big.yaml"), "event: Seen\ntimestamp: \"{when}\"\nuser_id: \"{who}\"\nproperties:\n  id: \"{id}\"\n")
	load := exec.Command(binary(t), "import", filepath.Join(dir, "big.csv"), "--map", filepath.Join(dir, "big.yaml"), "--source", "shop", "--data", s.data)
	load.Env = cleanEnv()
	log := &lockedBuffer{}
	load.Stdout, load.Stderr = log, log
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- load.Wait() }()
	for began := time.Now(); s.status()["received"] == "0"; {
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing arrives: %s", log.String())
		}
	}
	s.stop()
	select {
	case err := <-ended:
		t.Fatalf("the import ended before the server, which shows nothing: %v", err)
	default:
	}
	if err := <-ended; err != nil || !s.cmd.ProcessState.Success() {
		t.Fatalf("the server ends with %v, the import with %v: %s", s.cmd.ProcessState, err, log.String())
	}
	if got := s.sql("SELECT count(*) FROM clean.events"); got != strconv.Itoa(rows) {
		t.Errorf("%s rows of %d", got, rows)
	}
}
