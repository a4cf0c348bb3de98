#!/usr/bin/env bash
# Builds sites with two binaries and compares what they write, byte for byte.
#
#   load/same/same.sh BEFORE AFTER SITE…
#
# A SITE is a folder with content/ or a settings file in it, a folder of Markdown files, or an export that freshet import
# reads. Each is copied, so nothing is written beside it. Each is built twice with AFTER: from nothing, and over the state
# folder that BEFORE has left, which AFTER has to read. Both must give what BEFORE gave. The exit status is 1 when a file differs.
set -euo pipefail
if [ $# -lt 3 ]; then
	sed -n 's/^# \{0,1\}//p' "$0" | sed 1d >&2
	exit 2
fi
before=$(realpath "$1")
after=$(realpath "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1767225600 # 2026-01-01

# prepare SITE FOLDER makes a site of its own of what was named.
prepare() {
	mkdir -p "$2"
	if [ -f "$1" ]; then
		(cd "$2" && "$before" import "$1" >/dev/null 2>&1) || true # what it leaves out, both leave out
	elif [ -d "$1/content" ] || compgen -G "$1/freshet.*" >/dev/null; then
		cp -r "$1/." "$2"
	else
		cp -r "$1" "$2/content"
	fi
}

# build BINARY FOLDER builds; documents that are left out make the exit status 1.
build() {
	local status=0
	(cd "$2" && "$1" build --url https://example.org >/dev/null 2>"$2.log") || status=$?
	if [ "$status" -gt 1 ] || [ ! -d "$2/public" ]; then
		echo "$1 build: exit status $status" >&2
		tail -3 "$2.log" >&2
		return 1
	fi
}

different=0
for site in "$@"; do
	site=$(realpath "$site")
	rm -rf "$work"/*
	prepare "$site" "$work/old"
	cp -r "$work/old" "$work/new"
	if ! build "$before" "$work/old" || ! build "$after" "$work/new"; then
		echo "$site: not built"
		different=1
		continue
	fi
	cp -r "$work/old" "$work/over"
	build "$after" "$work/over" || true
	for tree in new over; do
		if ! diff -rq -x .freshet "$work/old/public" "$work/$tree/public" >"$work/difference"; then
			echo "$site ($tree): $(wc -l <"$work/difference") files differ"
			head -20 "$work/difference"
			different=1
		fi
	done
	echo "$site: $(find "$work/old/public" -type f | wc -l) files"
done
exit "$different"
