#!/usr/bin/env bash
# demo.sh BINARY: runs the pipeline of examples/webapp as a newcomer would, in a fresh repository, and shows what is
# left behind. ./dev demo calls it. Everything happens below one temporary directory, which stays to be looked at.
set -euo pipefail
runner=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
place=$(mktemp -d -t runner-demo.XXXXXX)
repository=$place/shortlinks
deployed=$place/deployed

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# The archives and layers of this demo stay out of the user's own data.
export RUNNER_DATA=$place/data

cp -r "$here/webapp" "$repository"
cd "$repository"
git init -q -b main
git add .
git -c user.name=demo -c user.email=demo@localhost commit -q -m "A link shortener and its pipeline"

# The system's Python is the one that Debian's flake8 and pytest belong to.
pipeline=(--var "DEPLOY_ROOT=$deployed" --var PYTHON=/usr/bin/python3)

# .runner.yml adds an image to .gitlab-ci.yml; it needs a container engine.
. "$here/demo_engine.sh"
if find_engine; then
  make_base_image
  pipeline+=(--var "BASE=$base")
  if [ "$engine" = docker ]; then
    start_registry
    pipeline+=(--var "CI_REGISTRY_IMAGE=$registry/shortlinks")
    say "runner exec: lint, test, package, an image built, pushed, and run by its digest, staging; production waits"
  else
    say "runner exec: lint, test, package, an image, staging; production waits"
    echo "(The image is not pushed: the registry of this demo has no TLS, which Podman wants to be told in registries.conf.)"
  fi
else
  pipeline+=(-f .gitlab-ci.yml)
  say "No container engine answers here${why_not:+ ($why_not)}, so no image is built: the archive alone is delivered"
  say "runner exec: lint, test, package, staging; production waits for a person"
fi
"$runner" exec "${pipeline[@]}" --report "$place/first.json"

say "The archive that the package job left"
archive=$(find "$place/data" -type f -name '*.zip' -exec grep -l 'dist/shortlinks-' {} + | head -n 1)
[ -n "$archive" ] || { echo "demo: no archive of the package job below $place/data" >&2; exit 1; }
echo "$archive"
/usr/bin/python3 -m zipfile -l "$archive"

say "runner exec --manual 'deploy production': the person says yes"
"$runner" exec "${pipeline[@]}" --manual "deploy production" --report "$place/second.json"

if [ -n "$registry" ]; then
  say "Nothing changed since, so nothing was built: the second run asked the registry and moved the tags"
  curl -fsS "http://$registry/v2/shortlinks/tags/list"
fi

say "What is deployed"
for environment in staging production; do
  printf '%-11s -> %s\n' "$environment" "$(readlink "$deployed/$environment/current")"
done
/usr/bin/python3 "$deployed/production/current/deploy/check.py" "$deployed/production/current" demo

say "What happened"
/usr/bin/python3 - "$place/first.json" "$place/second.json" <<'PYTHON'
import json
import sys

for title, path in zip(("first run ", "second run"), sys.argv[1:]):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    jobs = ", ".join(f"{job['name']}: {job['status']}" for job in report["jobs"])
    print(f"{title}  {report['status']}  ({jobs})")
PYTHON
[ -z "$(git status --porcelain)" ] || { echo "demo: the working tree was written to:" >&2; git status --short >&2; exit 1; }
echo "The working tree was not written to: git status is clean."

# A server, two hosts, a balancer: from the push to the way back.
mkdir "$place/hosts"
/usr/bin/python3 "$here/demo_hosts.py" "$runner" "$place/hosts" || [ $? = 77 ]

cat <<TEXT

All of it is below $place; remove it when you have seen enough.

Next:
  cd $repository
  $runner exec --list                          the jobs
  $runner exec --var PYTHON=/usr/bin/python3 "unit tests"
  $runner exec --explain "deploy production"   which rule put it there
  and in a repository of yours with a .gitlab-ci.yml: runner exec
TEXT
