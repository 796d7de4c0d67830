#!/usr/bin/env bash
# Submit records by HTTP with curl: TURNOUT_URL=https://… TURNOUT_KEY=turnout_… bash by_http.sh
set -euo pipefail

key='order 4711' # of your own, and the same when you send the request again: it is stored once, whatever got lost

# The answer is held until HubSpot's is known, for 30 seconds at most (`Prefer`); without that header it comes at once.
# The key is no argument, which others on this machine could read. curl tries 408, 429, 5xx and time-outs again.
curl --silent --show-error --fail-with-body --max-time 60 --retry 5 --retry-connrefused \
  --header @<(printf 'Authorization: Bearer %s' "$TURNOUT_KEY") \
  --header "Idempotency-Key: $key" --header 'Prefer: wait=30' --json @- \
  "$TURNOUT_URL/marketing/v3/marketing-events/attendance/spring-summit-2026/cancel/email-create?externalAccountId=acme-events" <<'JSON'
{"inputs": [{"email": "zoë.o'hara@example.com", "interactionDateTime": 1767225600000}]}
JSON
echo
