// The request, the lifeline, the lock, the fence.
#include "deployments/targets/ssh_script_parts.h"

namespace runner::deployments {

const std::string_view kCommonOfScript = R"sh(
set -u
umask 022
export LC_ALL=C
say() { printf 'runner:%s\n' "$*" >&2; }
fail() { say "error $(printf %s "$*" | tr '\n' ' ')"; exit 1; }
exec 3<&0 </dev/null
IFS= read -r lines <&3 || exit 70
request=
while [ "$lines" -gt 0 ]; do
  IFS= read -r line <&3 || exit 70
  request="$request$line
"
  lines=$((lines - 1))
done
eval "$request"
state=$root/.runner releases=$root/releases
scrap= lifeline= watchdog=
finish() {
  code=$?
  [ -z "$lifeline" ] || kill -KILL "$lifeline"
  [ -z "$watchdog" ] || kill -TERM "$watchdog"
  [ -z "$scrap" ] || rm -rf "$scrap"
  exit "$code"
}
trap finish EXIT
# By hold_on(): nothing more is begun, and the lock is kept until all of the group are dead.
trap 'while :; do sleep 1; done' TERM
nap() { sleep 0.1 2>/dev/null || sleep 1; }
# Nobody is there any more: whatever this call has begun ends, and holds the lock until it has.
hold_on() {
  (
    trap '' TERM HUP
    trap - EXIT
    while IFS= read -r _ <&3; do :; done
    kill -TERM 0
    nap; nap
    [ -z "$scrap" ] || rm -rf "$scrap"
    kill -KILL 0
  ) >/dev/null 2>&1 &
  lifeline=$!
}
durable() { sync "$@" 2>/dev/null || sync; }
take_lock() {
  mkdir -p -m 755 "$root" && mkdir -p -m 700 "$state" || fail unavailable "cannot make '$state'"
  command -v flock >/dev/null || fail unavailable "there is no 'flock'; install util-linux"
  exec 9>>"$state/lock"
  tries=0
  until flock -n 9; do
    if [ "$tries" -ge "$patience" ]; then
      say "busy $(cat "$state/holder" 2>/dev/null)"
      exit 75
    fi
    nap
    tries=$((tries + 1))
  done
  printf '%s %s\n' "$deployment" "$verb" >"$state/holder" || fail unavailable "cannot write below '$state'"
}
read_token() {
  seen=0 holder= owner=
  [ -e "$state/token" ] || return 0
  read -r seen holder owner <"$state/token" || :
  case $seen in '' | *[!0-9]*) fail corrupt "'$state/token' holds no token; remove it when no deployment runs there" ;; esac
}
check_token() {
  read_token
  if [ -n "$owner" ] && [ "$owner" != "$environment" ]; then
    fail conflict "'$root' belongs to the environment '$owner'; give '$environment' a root of its own, or remove '$state/token'"
  fi
  if [ "$seen" -gt "$token" ] || { [ "$seen" -eq "$token" ] && [ "$holder" != "$deployment" ]; }; then
    say "stale $seen $holder"
    exit 76
  fi
}
fence() {
  take_lock
  check_token
  [ "$seen" -lt "$token" ] || return 0
  # The log first: it may say more than was taken, never less.
  printf '%s %s\n' "$token" "$deployment" >>"$state/tokens" &&
    printf '%s %s %s\n' "$token" "$deployment" "$environment" >"$state/token.new" &&
    durable "$state/token.new" && mv -f "$state/token.new" "$state/token" ||
    fail unavailable "cannot write '$state/token'"
  durable "$state"
}
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
# The time a process was started, so that another with its number is not taken for it. None when it has ended.
start_of() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*) }
  case $1 in Z | X) return 1 ;; esac
  echo "${20}"
}
lives() {
  [ -e "$1/process" ] || return 1
  while read -r pid start on; do
    [ "$on" = "$boot" ] && [ "$(start_of "$pid")" = "$start" ] && return 0
  done <"$1/process"
  return 1
}
)sh";

}  // namespace runner::deployments
