#!/bin/sh
# need.sh npm|chromium: makes sure that a program is there. As root on Debian it installs it, elsewhere it says so and fails.
set -eu
case $1 in
npm) command -v npm >/dev/null && exit 0; packages="nodejs npm" ;;
chromium) [ -x "${CHROMIUM:-/usr/bin/chromium}" ] && exit 0; packages=chromium ;;
esac
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "$1 is missing: install it (for Chromium in another place say CHROMIUM=path)" >&2
	exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086 # two packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
