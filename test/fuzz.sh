#!/usr/bin/env bash
# Runs each fuzz target of the repository for the given time, one after the other.
set -euo pipefail
time=$1
cd "$(dirname "$0")/.."
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | sort | while read -r file; do
	for target in $(grep -oE '^func Fuzz[A-Za-z0-9]+' "$file" | cut -d' ' -f2); do
		echo "fuzz: ${file%/*} $target for $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./${file%/*}"
	done
done
