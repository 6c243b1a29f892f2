#!/bin/sh
# Installs the servers that the tests need, where it can. Otherwise it says so, and the tests are skipped, or fail
# under CI=true.
cd "$(dirname "$0")" || exit 1

if ! command -v nginx >/dev/null && ! [ -x /usr/sbin/nginx ]; then
	if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx >/dev/null ||
			echo "setup: nginx could not be installed" >&2
	else
		echo "setup: nginx is missing, and only root can install it, with apt-get" >&2
	fi
fi

if ! command -v npm >/dev/null; then
	echo "setup: npm is missing, which installs express-rate-limit and aimock" >&2
elif ! [ node_modules/.wanted -nt package.json ]; then
	npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error && touch node_modules/.wanted ||
		echo "setup: npm could not install express-rate-limit and aimock" >&2
fi
exit 0
