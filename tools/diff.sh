#!/bin/sh
# Shows one service of both stacks side by side, file by file; what only one stack has stands alone.
# Usage: diff.sh SERVICE
set -u
service=$1
width=$( (tput cols) 2>/dev/null || echo 160)
[ "$width" -ge 120 ] || width=160
for file in main.go service.go outbound.go inbound.go; do
	left=sync/$service/$file right=async/$service/$file
	if [ ! -e "$left" ] && [ ! -e "$right" ]; then continue; fi
	printf '\n=== %s: sync | async\n' "$file"
	[ -e "$left" ] || { echo "(sync has no $file)"; left=/dev/null; }
	[ -e "$right" ] || { echo "(async has no $file)"; right=/dev/null; }
	diff --side-by-side --expand-tabs --tabsize=2 --width="$width" "$left" "$right"
	[ $? -le 1 ] || exit 1
done
