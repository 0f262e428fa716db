#!/usr/bin/env bash
# Starts a manager and three processors in the background, or stops them.   up.sh up|down
# Process ids and logs are in .baton/up/. Starting twice starts only what is not running.
set -euo pipefail
cd "$(dirname "$0")/.."

BIN=${BIN:-target/debug}
BIND=${BATON_BIND:-127.0.0.1:8080}
DATA=${BATON_DATA_DIR:-.baton}
URL=http://$BIND
STATE=$DATA/up
PROCESSORS=(clean count top)

say() { printf '%s\n' "$*"; }

# Whether the process that this script started under a name still runs; a reused id does not count.
running() { # name
  local pid
  pid=$(cat "$STATE/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null || return 1
  if [ -r "/proc/$pid/cmdline" ]; then
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$(cat "$STATE/$1.cmd")"
  else
    ps -o command= -p "$pid" | grep -qF "$(cat "$STATE/$1.cmd")"
  fi
}

# Configuration goes by the environment alone: everybody on the machine can read the arguments of a process.
start() { # name, program, argument...
  local name=$1
  shift
  if running "$name"; then
    return
  fi
  nohup "$@" >>"$STATE/$name.log" 2>&1 </dev/null &
  echo $! >"$STATE/$name.pid"
  echo "$1" >"$STATE/$name.cmd"
}

# GET without curl, which a fresh machine may not have. A manager that hangs, or says too much, is cut off.
get() { # path
  local answer=
  exec 3<>"/dev/tcp/${BIND%:*}/${BIND##*:}" || return 1
  printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$BIND" >&3
  # It ends at the end, or at a bound: the status is no news either way.
  IFS= read -r -d '' -t 5 -n 1000000 answer <&3 || true
  exec 3>&-
  printf '%s' "$answer"
}

ready() { [[ $(get /readyz 2>/dev/null) == 'HTTP/1.1 200 '* ]]; }

registered() { [[ $(get /meta 2>/dev/null) == *"\"id\":\"$1-1\""* ]]; }

await() { # name of the process, condition...
  local name=$1 end=$((SECONDS + 30))
  shift
  until "$@"; do
    if ! running "$name" || [ $SECONDS -ge $end ]; then
      say "$name did not get ready. The end of $STATE/$name.log:" >&2
      tail -n 20 "$STATE/$name.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

up() {
  local n name secret port=9101
  mkdir -p "$STATE"
  BATON_BIND=$BIND BATON_DATA_DIR=$DATA start manager "$BIN/baton" serve
  await manager ready
  secret=$(cat "$DATA/processor.secret")
  for n in "${!PROCESSORS[@]}"; do
    name=${PROCESSORS[n]}
    MANAGER_URL=$URL PROCESSOR_ID=$name-1 PROCESSOR_NAME=$name PROCESSOR_SECRETS=$secret \
      BIND=127.0.0.1:$((port + n)) start "$name" "$BIN/examples/$name"
  done
  for name in "${PROCESSORS[@]}"; do
    await "$name" registered "$name"
  done
  say "manager     $URL  (state of everything: $URL/meta)"
  for n in "${!PROCESSORS[@]}"; do
    printf '%-11s http://127.0.0.1:%d\n' "${PROCESSORS[n]}" $((port + n))
  done
  cat <<TEXT
logs        $STATE/*.log

Try:
  curl -s $URL/action -H 'content-type: application/json' \\
    -d '{"data": "# To be\\n*or* not to **be**", "jobs": ["clean", "count", "top"]}'
  curl -s '$URL/action/ACTION_ID?wait_ms=20000'

Stop with: make down
TEXT
}

stop() { # name...
  local name pid end=$((SECONDS + 15))
  for name in "$@"; do
    running "$name" && kill "$(cat "$STATE/$name.pid")"
  done
  for name in "$@"; do
    while running "$name" && [ $SECONDS -lt $end ]; do
      sleep 0.1
    done
    if running "$name"; then
      pid=$(cat "$STATE/$name.pid")
      say "$name (process $pid) does not stop: killed" >&2
      kill -9 "$pid"
    fi
    rm -f "$STATE/$name.pid" "$STATE/$name.cmd"
  done
}

# Processors first: each hands back what it holds and takes its leave.
down() {
  stop "${PROCESSORS[@]}"
  stop manager
  say 'stopped'
}

case ${1:-} in
  up | down) "$1" ;;
  *) say 'up.sh up|down' >&2; exit 2 ;;
esac
