#!/bin/sh
# release.sh ARCHIVE DIRECTORY VERSION
# Unpacks a release beside the others, asks it whether it is well, and only then makes it current.
set -eu
archive=$1 directory=$2 version=$3
: "${PYTHON:=python3}"
release=$directory/releases/$version

mkdir -p "$release"
tar -xzf "$archive" -C "$release" --strip-components 1

# A trial run on a free port: a release that does not answer never becomes current.
"$PYTHON" "$release/deploy/check.py" "$release" "$version"

ln -sfn "releases/$version" "$directory/current.new"
mv -T "$directory/current.new" "$directory/current"  # a rename: there is always a current release
echo "current in $directory is now $(readlink "$directory/current")"

# The three newest stay for a way back.
ls -1t "$directory/releases" | tail -n +4 | while read -r old; do rm -rf "$directory/releases/$old"; done
