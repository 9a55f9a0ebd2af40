#!/usr/bin/env bash
# Installs what the tests need that is not there yet, and says so: zstd and Python's venv from the system's packages,
# PyIceberg and Polars into a virtual environment of this checkout.
set -euo pipefail
venv=$1

missing=()
command -v zstd >/dev/null || missing+=(zstd)
command -v gcc >/dev/null || missing+=(gcc g++)
command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
command -v losetup >/dev/null || missing+=(mount)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
	echo "setup: installing ${missing[*]} from the system's packages"
	sudo=()
	((EUID == 0)) || sudo=(sudo)
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if ! "$venv/bin/python" -c 'import pyiceberg, polars, pyarrow, sqlalchemy' 2>/dev/null; then
	echo "setup: installing pyiceberg and polars into $venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$(dirname "$0")/requirements.txt"
fi
