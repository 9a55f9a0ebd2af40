package test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	retailAnswer = "541909,4372,9747748"
	retailQuery  = "SELECT count(*), count(DISTINCT user_id), round(sum(price * quantity)) FROM clean.events WHERE source = 'retail'"
)

// TestOnlineRetail imports UCI "Online Retail" twice, the first time with a kill -9 in the middle, and compares the
// published figures with SQL's, PyIceberg's and Polars' at one snapshot.
func TestOnlineRetail(t *testing.T) {
	slow(t)
	file := dataset(t, "analytics/online_retail/online_retail.parquet")
	s := start(t, t.TempDir())
	s.kith("source", "create", "retail")
	load := func() *exec.Cmd {
		cmd := exec.Command(binary(t), "import", file, "--map", "../examples/retail/online_retail.yaml", "--source", "retail", "--data", s.data)
		cmd.Env = cleanEnv()
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	first := load()
	for s.sql("SELECT count(*) > 50000 FROM clean.events") != "true" {
		time.Sleep(50 * time.Millisecond)
	}
	if s.sql("SELECT count(*) = 541909 FROM clean.events") == "true" {
		t.Log("the import was over before the kill")
	}
	s.kill()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil { // it went on by itself when the server was back
		t.Fatal(err)
	}
	if got := s.sql(retailQuery); got != retailAnswer {
		t.Errorf("after a kill in the middle: got %s, want %s", got, retailAnswer)
	}
	if err := load().Wait(); err != nil {
		t.Fatal(err)
	}
	if got := s.sql(retailQuery); got != retailAnswer {
		t.Errorf("imported twice: got %s, want %s", got, retailAnswer)
	}
	if out := s.kith("verify", "rebuild"); !strings.HasPrefix(out, "ok ") {
		t.Error(out)
	}
	s.kith("lake", "commit")
	otherEngines(t, s)
}

// otherEngines asks PyIceberg and Polars the same at the same snapshot.
func otherEngines(t *testing.T, s *server) {
	python := os.Getenv("KITH_PYTHON")
	if python == "" {
		t.Skip("SKIPPED: PyIceberg and Polars; set KITH_PYTHON to a Python that has them, as make test does")
	}
	snapshot, _, _ := strings.Cut(s.status()["view"].(string), "@")
	cmd := exec.Command(python, "retail.py", s.data, snapshot)
	cmd.Env = append(os.Environ(), "POLARS_ICEBERG_PLANNER=pyiceberg")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "pyiceberg " + retailAnswer + "\npolars " + retailAnswer
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := s.sql(retailQuery + " AS OF SNAPSHOT " + snapshot); got != retailAnswer {
		t.Errorf("as of the same snapshot: got %s", got)
	}
}
