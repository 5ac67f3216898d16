# Read by demo.sh: a container engine of this machine, a registry for the demo alone, and an image to start from that
# nobody has to download.

engine='' registry='' base='' why_not=''

# Sets engine to what answers, "docker" or "podman", with its client at hand; or why_not.
find_engine() {
  local found
  found=$("$runner" doctor --json | /usr/bin/python3 -c 'import json, sys
for finding in json.load(sys.stdin)["findings"]:
    if finding["topic"] == "containers": print(finding["health"], finding["text"])')
  case $found in
    "ok docker "*) engine=docker ;;
    "ok podman "*) engine=podman ;;
    *) why_not=${found#* }; [ "$why_not" != none ] || why_not=""; return 1 ;;
  esac
  command -v "$engine" >/dev/null && return 0
  why_not="there is no client of $engine in PATH" engine=''
  return 1
}

# A registry on this machine, gone with the demo.
start_registry() {
  local port
  port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  registry=127.0.0.1:$port
  cat >"$place/registry.yml" <<TEXT
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $place/registry}}
http: {addr: $registry}
TEXT
  docker-registry serve "$place/registry.yml" >"$place/registry.log" 2>&1 &
  trap "kill $! 2>/dev/null || true" EXIT
  local tries
  for tries in $(seq 100); do
    curl -fsS -o /dev/null "http://$registry/v2/" 2>/dev/null && return 0
    sleep 0.1
  done
  echo "demo: the registry did not start: $(tail -n 3 "$place/registry.log")" >&2
  return 1
}

# The Python of this machine, its libraries and a shell, as the image that the Dockerfile starts from.
make_base_image() {
  base=localhost/shortlinks-base:demo
  /usr/bin/python3 "$here/python_image.py" | "$engine" import --change 'ENV PATH=/usr/bin' - "$base" >/dev/null
}
