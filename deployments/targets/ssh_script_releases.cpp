// Releases, and which one a slot holds.
#include "deployments/targets/ssh_script_parts.h"

namespace runner::deployments {

const std::string_view kReleasesOfScript = R"sh(
receive() {
  mkdir -p "${1%/*}" || fail unavailable "cannot make '${1%/*}'"
  why=$({ dd bs=65536 count=$(($2 / 65536)) iflag=fullblock &&
    dd bs=256 count=$(($2 % 65536 / 256)) iflag=fullblock &&
    dd bs=1 count=$(($2 % 256)); } 2>&1 >"$1" <&3) || fail unavailable "cannot write '${1##*/}': $why"
  [ "$(($(wc -c <"$1")))" -eq "$2" ] || fail unavailable "the connection ended in the middle of '${1##*/}'"
  sum=$(sha256sum <"$1") || fail unavailable "there is no 'sha256sum'; install coreutils"
  [ "${sum%% *}" = "$3" ] || fail corrupt "'${1##*/}' came with another digest than it should have: ${sum%% *}"
}
climbs() {
  while IFS= read -r member; do
    case $member in /* | .. | ../* | */.. | */../*) echo "$member" ;; esac
  done
}
need() { command -v "$1" >/dev/null || fail unavailable "there is no '$1' to unpack the artifact with; install $2"; }
open_up() {
  case $archive in
    tar.gz) gzip -dc "$part/archive" ;;
    tar.zst) zstd -qdc "$part/archive" ;;
    *) cat "$part/archive" ;;
  esac || : >"$part/broken"
}
# What tar and cp say of a full disk differs.
room() {
  set -- $(df -P -k "$releases" | tail -n 1)
  [ "${4:-64}" -ge 64 ] || echo "; No space left on device: make room below '$root', or keep fewer releases"
}
unpack() {
  case $archive in zip) need unzip unzip ;; tar.zst) need zstd zstd ;; tar.gz) need gzip gzip ;; esac
  if [ "$archive" = zip ]; then
    bad=$(unzip -Z1 "$part/archive" | climbs)
  else
    bad=$(open_up | tar -tf - | climbs)
  fi
  [ -z "$bad" ] || fail invalid_input "the artifact has members that climb out: $bad"
  if [ "$archive" = zip ]; then
    why=$(unzip -q "$part/archive" -d "$part/tree" 2>&1) || fail unavailable "cannot unpack the artifact: $why$(room)"
  else
    why=$({ open_up | tar -xof - -C "$part/tree"; } 2>&1) || fail unavailable "cannot unpack the artifact: $why$(room)"
    [ ! -e "$part/broken" ] || fail corrupt "the artifact is broken"
  fi
  chmod -R u+rwX,ug-s "$part/tree" || fail unavailable "cannot change modes below '$part'"
}
verb_prepare() {
  fence
  mkdir -p "$releases" "$root/shared" || fail unavailable "cannot make '$releases'"
  if [ -d "$releases/$id" ]; then
    touch "$releases/$id"
    return 0
  fi
  part=$releases/$id.part scrap=$releases/$id.part
  rm -rf "$part"
  mkdir "$part" "$part/tree" "$part/config" || fail unavailable "cannot make '$part'"
  receive_all
  hold_on
  [ -z "$archive" ] || unpack
  why=$(cp -R "$part/config/." "$part/tree" 2>&1) || fail unavailable "cannot put the configuration there: $why$(room)"
  durable -f "$part/tree"
  touch "$part/tree"
  mv -T "$part/tree" "$releases/$id" || fail unavailable "cannot make '$releases/$id'"
  durable "$releases"
}
verb_is_prepared() {
  [ -z "$deployment" ] || check_token
  if [ -d "$releases/$id" ]; then say "prepared yes"; else say "prepared no"; fi
}
link_of() { case $1 in single) echo "$root/current" ;; *) echo "$root/slots/$1" ;; esac }
# The release that a slot holds; nothing when the link is none of ours.
release_in() {
  to=$(readlink "$(link_of "$1")" 2>/dev/null) || return 0
  case $to in releases/*) to=${to#releases/} ;; ../releases/*) to=${to#../releases/} ;; *) return 0 ;; esac
  case $to in *[!0-9a-f]*) ;; *) echo "$to" ;; esac
}
verb_place() {
  fence
  hold_on
  if [ -z "$id" ]; then
    link=$(link_of "$slot")
    [ -z "$(release_in "$slot")" ] || rm -f "$link" || fail unavailable "cannot remove '$link'"
    [ ! -d "${link%/*}" ] || durable "${link%/*}"
    return 0
  fi
  [ -d "$releases/$id" ] || fail not_found "the release $id is not there; prepare it"
  [ "$(release_in "$slot")" != "$id" ] || return 0
  link=$(link_of "$slot") to=releases/$id
  [ "$slot" = single ] || { to=../releases/$id; mkdir -p "$root/slots"; }
  rm -f "$state/link"
  # Renamed over the old one: whoever looks meanwhile finds the one or the other.
  why=$({ ln -s "$to" "$state/link" && mv -fT "$state/link" "$link"; } 2>&1) || fail unavailable "cannot switch '$link': $why"
  durable "${link%/*}"
}
verb_clean() {
  fence
  hold_on
  cd "$releases" 2>/dev/null || return 0
  for one in single blue green; do
    named="$named $(release_in "$one") $(cat "$state/running.$one" 2>/dev/null)"
  done
  ls -1t | while IFS= read -r one; do
    case $one in
      *.part) rm -rf "$one"; continue ;;
      *[!0-9a-f]*) continue ;;
    esac
    case " $named " in *" $one "*) continue ;; esac
    keep=$((keep - 1))
    [ "$keep" -lt 0 ] || continue
    mv -T "$one" "$one.part" && rm -rf "$one.part" || exit 1
  done || fail unavailable "cannot remove releases below '$releases'"
}
)sh";

}  // namespace runner::deployments
