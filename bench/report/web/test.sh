#!/bin/sh
# Tests the report in a browser. Wants what `make build` made, Node.js with npm, and Chromium (CHROMIUM=path if it is elsewhere).
# CANARY=folder adds a run whose report must show red.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
export CHROMIUM="${CHROMIUM:-/usr/bin/chromium}"
sh "$here/need.sh" npm
sh "$here/need.sh" chromium

cd "$here"
npm ci --no-audit --no-fund --loglevel=error

REPORTS=$(mktemp -d)
export REPORTS
trap 'rm -rf "$REPORTS"' EXIT
cd "$root"
go test ./bench/report -count=1 -run TestSamples -samples "$REPORTS" >/dev/null
for sample in "$REPORTS"/*; do
	bin/tandem report "$sample" >/dev/null
done
if [ -n "${CANARY:-}" ]; then
	CANARY=$(cd "$CANARY" && pwd)
	export CANARY
	bin/tandem report "$CANARY" >/dev/null
fi
node --test "$here"/test/*.test.mjs
