// Commands.
#include "deployments/targets/ssh_script_parts.h"

namespace runner::deployments {

const std::string_view kCommandsOfScript = R"sh(
verb_claim() {
  fence
  hold_on
  rm -rf "$releases"/*.part
  for one in "$state"/commands/*/*; do
    [ -d "$one" ] || continue
    theirs=${one%/*} theirs=${theirs##*/}
    [ "$theirs" != "$deployment" ] || continue
    # The token is ours already, so they begin nothing more; what they began may end.
    while lives "$one"; do
      if [ "$tries" -ge "$patience" ]; then
        say "busy $theirs ${one##*/}"
        exit 75
      fi
      nap
      tries=$((tries + 1))
    done
    rm -rf "$one"
    rmdir "${one%/*}" 2>/dev/null || :
  done
}
in_slot() {
  id=${wanted:-$(release_in "$slot")}
  [ -n "$id" ] && [ -d "$releases/$id" ] || fail not_found "the slot '$slot' holds no release to run '$name' in; place one"
  surroundings "$id"
}
verb_run() {
  fence
  in_slot
  hold_on
  (
    trap - EXIT
    trap 'kill "$sleeper" 2>/dev/null; exit' TERM
    sleep "$limit" >/dev/null 2>&1 3<&- 9>&- &
    sleeper=$!
    wait "$sleeper"
    say timeout
    kill -KILL 0
  ) >/dev/null 3<&- 9>&- &
  watchdog=$!
  file=$state/script
  (umask 077; rm -f "$file"; printf '%s' "$script" >"$file") || fail unavailable "cannot write '$file'"
  (
    trap - EXIT
    set +u
    eval "$command_environment"
    exec sh -e "$file" 2>&1 3<&- 9>&-
  )
  say "exit $?"
}
# Detached: $1 its directory, $2 its limit in seconds. Who makes `begun` is the one that runs it.
guardian='
start_of() { stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- ${stat##*) }; echo "${20}"; }
boot=$(cat /proc/sys/kernel/random/boot_id)
mkdir "$1/begun" 2>/dev/null || exit 0
echo "$$ $(start_of $$) $boot" >"$1/process"
setsid sh -e "$1/script" >"$1/output" 2>&1 &
child=$!
echo "$child $(start_of $child) $boot" >>"$1/process"
(
  trap "kill \"\$sleeper\" 2>/dev/null; exit" TERM
  sleep "$2" >/dev/null 2>&1 &
  sleeper=$!
  wait "$sleeper"
  : >"$1/late"
  kill -TERM "-$child"
  sleep 2
  kill -KILL "-$child"
) &
watchdog=$!
wait "$child"
code=$?
kill -TERM "$watchdog"
echo "$code" >"$1/exit.new"
sync "$1/exit.new" 2>/dev/null || sync
mv -f "$1/exit.new" "$1/exit"
'
verb_survive() {
  fence
  in_slot
  hold_on
  it=$state/commands/$deployment/$name
  mkdir -p "$it" || fail unavailable "cannot make '$it'"
  # Of a call that was cut off it may be about to begin.
  if [ -e "$it/script" ]; then
    tries=0
    while [ ! -e "$it/process" ] && [ "$tries" -lt 20 ]; do nap; tries=$((tries + 1)); done
  fi
  if [ -e "$it/process" ] || [ -e "$it/begun" ]; then
    say found
  else
    : >"$it/output"
    (umask 077; printf '%s' "$script" >"$it/script.new") && mv -f "$it/script.new" "$it/script" ||
      fail unavailable "cannot write below '$it'"
    (
      trap - EXIT
      set +u
      eval "$command_environment"
      exec setsid sh -c "$guardian" runner "$it" "$limit" </dev/null >>"$it/log" 2>&1 3<&- 9>&-
    ) &
    tries=0
    while [ ! -s "$it/process" ] && [ "$tries" -lt 100 ]; do nap; tries=$((tries + 1)); done
  fi
  # From here on it is only watched.
  exec 9>&-
  at=0 ended=
  while [ -z "$ended" ]; do
    # Looked at before its output: what it wrote last is there then.
    if [ -e "$it/exit" ] || ! lives "$it"; then ended=1; else nap; fi
    size=$(($(wc -c <"$it/output")))
    [ "$size" -le "$at" ] || tail -c "+$((at + 1))" "$it/output" | head -c "$((size - at))"
    at=$size
  done
  if [ ! -e "$it/exit" ]; then
    say unknown
  elif [ -e "$it/late" ]; then
    say timeout
  else
    say "exit $(cat "$it/exit")"
  fi
}
)sh";

}  // namespace runner::deployments
