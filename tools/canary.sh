#!/bin/sh
# The canary: a run that is known to be bad must be red wherever a user looks, and the same run of the stack as it should be must
# be red nowhere. Without the first nobody would notice a checker that has stopped checking; without the second, this script.
# Usage: canary.sh [FOLDER]   (after make build; the results are kept in FOLDER if it is given)
set -eu
cd "$(dirname "$0")/.."
results=${1:-}
[ -n "$results" ] || { results=$(mktemp -d); trap 'rm -rf "$results"' EXIT; }

# bench LEVEL runs the async stack at a level, kills the broker three times, and prints the exit code.
bench() {
	code=0
	bin/tandem bench async --async-level "$1" --free-ports --results "$results/$1" --seed 1 --rate 300 --steady 2s \
		--posts 300 --comments 300 --authors 20 --subscriptions 300 \
		--kill broker,broker,broker --before 500ms --down 700ms --after 1300ms >"$results/$1.out" 2>&1 || code=$?
	echo "$code"
}

# red LEVEL CODE prints where that run is red.
red() {
	[ "$2" -ne 3 ] || echo exit-code
	! grep -q '^ *async  *INVALID' "$results/$1.out" || echo terminal
	! grep -q '"verdict": "invalid"' "$results/$1/latest/results.json" || echo results.json
	! grep -q '<section class="verdict v-invalid"' "$results/$1/latest/report.html" || echo report.html
	! grep -q 'INVALID' "$results/$1/latest/report.md" || echo report.md
}

# expect LEVEL PLACES runs a level and demands that it is red in these places and in no other.
expect() {
	code=$(bench "$1")
	found=$(red "$1" "$code" | tr '\n' ' ')
	[ "$found" = "$2" ] || {
		tail -n 40 "$results/$1.out"
		echo "canary: level $1 ended with exit code $code and is red in: ${found:-no place}; it must be in: ${2:-no place}" >&2
		exit 1
	}
	echo "canary: level $1 ended with exit code $code, red in: ${found:-no place}"
}

mkdir -p "$results"
expect direct "exit-code terminal results.json report.html report.md "
expect dead-letter ""
