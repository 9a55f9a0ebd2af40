#!/usr/bin/env bash
# Prints NOTICE: every module that the binary links, with the licence that its own file states.
set -euo pipefail
cd "$(dirname "$0")/.."
licence() {
	local text
	text=$(cat "$1"/LICEN[SC]E* "$1"/COPYING* 2>/dev/null | head -c 6000 | tr '\n' ' ' | tr -s ' ') || true
	case $text in
	*"Apache License"*) echo Apache-2.0 ;;
	*"Mozilla Public License"*) echo MPL-2.0 ;;
	*"public domain"*) echo CC0-1.0 ;;
	*"Permission to use, copy, modify, and/or distribute"* | *"Permission to use, copy, modify, and distribute"*) echo ISC ;;
	*"Redistribution and use in source and binary forms"*"Neither the name"* | *"Redistribution and use in source and binary forms"*"names of its contributors"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*) echo "UNKNOWN, see the module" ;;
	esac
}
cat <<-'END'
	Kith
	Copyright 2026 The Kith authors

	Licensed under the Apache License, Version 2.0 (see LICENSE).

	The binary links the modules below, each under its own licence. DuckDB itself, inside duckdb-go-bindings, is MIT.
	Made by test/notice.sh (make notice).

END
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/kith | sort -u |
	while read -r path version dir; do
		root=$dir
		while [[ -z $(compgen -G "$root/LICEN*" || compgen -G "$root/COPYING*" || true) && $root == */*/* ]]; do root=${root%/*}; done
		printf '%-60s %-40s %s\n' "$path" "$version" "$(licence "$root")"
	done
