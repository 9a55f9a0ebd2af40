#!/usr/bin/env bash
# Prints the CPU that each stage takes of an event, from a profile of BenchmarkReplay: half a million events in by the
# collector once, then from the journal into the lake RUNS times.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=3 events=500000
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -run '^$' -bench Replay -benchtime "${runs}x" -cpuprofile "$dir/cpu" -o "$dir/test.bin" ./test
go tool pprof -top -cum -nodecount=100000 -nodefraction=0 -unit=ms "$dir/test.bin" "$dir/cpu" 2>/dev/null >"$dir/top"
stage() { # name, function, how often the events went through it
	awk -v name="$1" -v fn="$2" -v n=$(($3 * events)) 'index($0, fn) { sub("ms", "", $4); printf "  %-44s %6.2f µs an event\n", name, $4 * 1000 / n; exit }' "$dir/top"
}
echo "in, before the 200"
stage "collect: scan and lines" "kith/collect.(*Collector).serve" 1
stage "journal: number, compress, fdatasync" "kith/journal.(*Writer).run" 1
echo "from the journal into the lake"
stage "journal: decompress" "zstd.(*Decoder).DecodeAll" $runs
stage "pipeline: all of the serial goroutine" "kith/pipeline.(*Processor).frame" $runs
stage "  prepare" "kith/prepare.(*Preparer).Line" $runs
stage "  dedupe" "kith/pipeline/dedupe.(*Index).Add" $runs
stage "  identity" "kith/identity.(*Interner).Anchor" $runs
stage "  columns, and waiting sets written" "kith/lake.(*Lake).Append" $runs
stage "lake: Parquet" "kith/lake/columns.(*Set).Write" $runs
stage "lake: commit" "kith/lake.(*committer).run" $runs
stage "garbage collection" "runtime.gcBgMarkWorker" $((runs + 1))
