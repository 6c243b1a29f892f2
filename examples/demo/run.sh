#!/bin/sh
# Sends 320 requests with batch to an API that accepts 1800 a minute, 60 at once,
# refuses the rest, and fails, drops or delays some of the accepted ones.
set -eu
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
api=
cleanup() {
	[ -z "$api" ] || { kill "$api" 2>/dev/null || true; wait "$api" 2>/dev/null || true; }
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

echo "Building the API and the client ..."
go build -o "$dir/" ./strictapi ./batch

echo "Starting the API, which fails 3 % of the requests, drops 2 % and is slow to answer 5 % ..."
"$dir/strictapi" -rpm 1800 -burst 60 -fail-rate 0.03 -drop-rate 0.02 -slow-rate 0.05 -slow 700ms \
	-addr-file "$dir/url" -log "$dir/log" &
api=$!
while [ ! -s "$dir/url" ]; do
	kill -0 "$api" 2>/dev/null || { echo "the API did not start" >&2; exit 1; }
	sleep 0.1
done

echo "Running demo/requests.jsonl within the API's quota ..."
status=0
"$dir/batch" -in demo/requests.jsonl -out "$dir/results.jsonl" -url "$(cat "$dir/url")" \
	-rpm 1800 -burst 50 -in-flight 32 || status=$?

echo
echo "The first two results:"
head -n 2 "$dir/results.jsonl" | cut -c 1-160
echo "The API was sent $(wc -l <"$dir/log") requests and refused $(grep -c ' 429$' "$dir/log" || true)."
exit $status
