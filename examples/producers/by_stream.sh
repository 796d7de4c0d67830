#!/usr/bin/env bash
# Submit records by the stream with nothing but bash: TURNOUT_REDIS_URL=redis://host:port/0 bash by_stream.sh
# Where there is a client it is one line:
#   redis-cli -u "$TURNOUT_REDIS_URL" XADD turnout:intake '*' message "$message"
set -euo pipefail
export LC_ALL=C # lengths are bytes

submission=$(cat /proc/sys/kernel/random/uuid)
message='{"subscriber_state": "cancel", "object_id": "4711",
  "inputs": [{"email": "zoë.o'\''hara@example.com", "interactionDateTime": 1767225600000}],
  "submission_id": "'$submission'", "part": "1", "producer": "by_stream.sh"}'

say() { # a command, in Redis's own protocol; then its answer
  printf '*%d\r\n' $# >&3
  for word; do printf '$%d\r\n%s\r\n' ${#word} "$word" >&3; done
  IFS= read -r -t 5 answer <&3
  if [[ $answer == -* ]]; then echo "$answer" >&2; exit 1; fi
}

[[ $TURNOUT_REDIS_URL =~ ^redis://(:([^:/@]+)@)?([^:/@]+):([0-9]+)(/([0-9]+))?$ ]] ||
  { echo "expected redis://:password@host:port/0, or without :password@" >&2; exit 2; }
url=("${BASH_REMATCH[@]}")
exec 3<>"/dev/tcp/${url[3]}/${url[4]}"
[[ ! ${url[2]} ]] || say AUTH "${url[2]}"
say SELECT "${url[6]:-0}"
say XADD turnout:intake '*' message "$message"
echo "$submission" # what became of it: turnout submission ID
