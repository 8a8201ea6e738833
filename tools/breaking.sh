#!/bin/sh
# Fails if proto/ breaks what an earlier commit promised. Events stay in the log for ever, so nothing may.
# Compares with the branch that AGAINST names (default: main; on main itself, the commit before).
set -eu
against=${AGAINST:-main}
if ! git rev-parse --verify --quiet "$against" >/dev/null || [ "$(git rev-parse "$against")" = "$(git rev-parse HEAD)" ]; then
	against=HEAD~1
fi
if ! git cat-file -e "$against:buf.yaml" 2>/dev/null; then
	echo "buf breaking: no earlier contract to compare with"
	exit 0
fi
exec go tool -modfile=tools/go.mod buf breaking --against ".git#ref=$(git rev-parse "$against")"
