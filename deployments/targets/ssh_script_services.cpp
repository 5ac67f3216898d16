// What runs in a slot.
#include "deployments/targets/ssh_script_parts.h"

namespace runner::deployments {

const std::string_view kServicesOfScript = R"sh(
surroundings() {
  export RUNNER_SLOT="$slot" RUNNER_RELEASE="$1" RUNNER_RELEASE_DIR="$releases/$1" RUNNER_PORT="$port" RUNNER_ROOT="$root"
  cd "$releases/$1" 2>/dev/null || cd "$root" || fail unavailable "cannot enter '$root'"
}
# To a file, not to us: what it leaves in the background would keep the connection open.
hook() { sh -c "$1" >"$state/output" 2>&1 3<&- 9>&-; }
is_up() { hook "$status_command"; }
started() { cat "$state/running.$slot" 2>/dev/null; }
end_what_runs() {
  running=$(started)
  [ -n "$running" ] || running=$(release_in "$slot")
  [ -n "$running" ] || return 0
  surroundings "$running"
  export RUNNER_GRACE="$grace"
  for force in 0 1; do
    is_up || { rm -f "$state/running.$slot"; return 0; }
    export RUNNER_FORCE="$force"
    hook "$stop_command" || tail -n 5 "$state/output"
    tries=0
    while is_up && [ "$tries" -lt $((grace * 10 + 10)) ]; do
      nap
      tries=$((tries + 1))
    done
    grace=5
  done
  is_up && fail unavailable "what runs in the slot '$slot' does not end, not even by RUNNER_FORCE=1 of the stop command"
  rm -f "$state/running.$slot"
}
verb_start() {
  fence
  hold_on
  id=$(release_in "$slot")
  [ -n "$id" ] || fail not_found "the slot '$slot' holds no release; place one"
  [ -d "$releases/$id" ] || fail not_found "the release $id of the slot '$slot' is not there any more; prepare it"
  surroundings "$id"
  if is_up; then
    [ "$(started)" != "$id" ] || return 0
    end_what_runs
    surroundings "$id"
  fi
  # Nothing runs now, so what will is this one.
  printf '%s\n' "$id" >"$state/running.new" && durable "$state/running.new" &&
    mv -f "$state/running.new" "$state/running.$slot" || fail unavailable "cannot write below '$state'"
  hook "$start_command" || {
    code=$?
    tail -n 20 "$state/output"
    fail unavailable "the start command of the slot '$slot' ended with $code"
  }
}
verb_halt() {
  fence
  hold_on
  end_what_runs
}
verb_observe() {
  [ -z "$deployment" ] || check_token
  hold_on
  for slot in $slots; do
    id=$(release_in "$slot") running=no
    if [ -n "$id" ] && [ "$(started)" = "$id" ]; then
      port=$(port_of "$slot")
      (
        trap - EXIT
        surroundings "$id"
        # Others may ask at the same time: no file of theirs is used.
        sh -c "$(status_of "$slot")" >/dev/null 2>&1 3<&- 9>&-
      ) && running=yes
    fi
    say "slot $slot ${id:--} $running"
  done
}
verb_seen_token() {
  read_token
  say "token $seen"
}
)sh";

}  // namespace runner::deployments
