#!/bin/sh
# Install what the tests of the page need: Chromium, Node.js, and the pinned packages of package-lock.json.
# On Debian and Ubuntu, as root; elsewhere install Chromium and Node.js 20 or newer by hand.
set -eu
missing=""
[ -z "${LANDSCAPE_NO_BROWSER:-}" ] || exit 0
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="chromium"
command -v node >/dev/null || missing="$missing nodejs npm"
if [ -n "$missing" ] && [ "$(id -u)" != 0 ]; then
    echo "missing:$missing; install it, or set LANDSCAPE_NO_BROWSER=1 to leave the tests of the page out" >&2
    exit 1
fi
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core
fi
cd "$(dirname "$0")/../.."
npm ci --ignore-scripts --no-audit --no-fund
