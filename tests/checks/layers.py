#!/usr/bin/env python3
"""Fails on an #include that the layer table does not allow, and on a heavy header in a header of ours.

    layers.py [ROOT]

The table is the one of ARCHITECTURE.md: arrows point down only. Reasons: a folder can be built, tested and
understood alone; and a heavy header in a header is paid by every file that includes it.
"""
import pathlib
import re
import sys

# folder -> folders it may include besides itself.
LEVELS = {
    "runner/base": [],
    "runner/database": ["runner/base"],
    "pipelines": ["runner/base"],
    "registry": ["runner/base"],
    "executors": ["runner/base", "registry"],
    "cache": ["runner/base", "runner/database"],
    "artifacts": ["runner/base"],
    "builds": ["runner/base", "registry", "executors"],
    "runner/git": ["runner/base", "cache"],
    "runner/storage": ["runner/base", "runner/database", "pipelines"],
    "deployments": ["runner/base", "runner/database", "runner/storage", "pipelines", "registry"],
    "runner/engine": ["runner/base", "pipelines", "registry", "runner/git", "runner/storage"],
    "runner/forge": ["runner/base", "pipelines", "runner/git", "runner/storage"],
    "runner/triggers": ["runner/base", "runner/database", "runner/storage", "runner/git", "runner/engine", "pipelines"],
    "runner/http": ["runner/base", "runner/database", "runner/storage", "runner/engine", "runner/triggers", "pipelines"],
    "runner/api": ["runner/base", "runner/database", "runner/storage", "runner/git", "runner/engine", "runner/forge",
                   "runner/triggers", "runner/http", "deployments", "pipelines"],
}
# folder -> single headers of other folders: the interfaces, not what is behind them.
INTERFACES = {
    "deployments": [
        "executors/executor.h", "executors/containers/engine_api.h", "executors/containers/frame_reader.h",
        "executors/containers/images.h",
    ],
    "runner/engine": [
        "executors/executor.h", "builds/build_request.h", "deployments/job/deploy_request.h",
        "cache/workspace.h", "cache/layer_store.h", "cache/caches.h", "cache/mount_point.h",
        "artifacts/artifacts.h", "artifacts/reports.h", "artifacts/retention.h",
    ],
}
# These wire concrete classes together and may include everything of ours.
WIRING = ["runner/daemon", "runner/cli", "runner/main.cpp"]

HEAVY = re.compile(
    r"^(boost/|nlohmann/json\.hpp$|yaml\.h$|re2/|spdlog/|CLI/|sqlite3\.h$|git2\.h$|git2/|archive\.h$|archive_entry\.h$"
    r"|curl/|expat\.h$|libpq-fe\.h$|openssl/|regex$|iostream$)")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def folder_of(path):
    """The folder of the table that holds `path` (from the root), or None."""
    for folder in [*LEVELS, "runner/daemon", "runner/cli"]:
        if path.startswith(folder + "/"):
            return folder
    return None


def problems_of_file(name, text):
    own = folder_of(name)
    wiring = any(name == w or name.startswith(w + "/") for w in WIRING)
    if own is None and not wiring:
        yield 1, "is in no folder of the layer table", "move it, or add its folder to LEVELS in tests/checks/layers.py"
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        header = found[1]
        if name.endswith(".h") and HEAVY.match(header):
            yield (number, f"'{header}' is too heavy for a header",
                   "include it in one .cpp and declare what is needed, or hide it behind a pimpl")
        target = folder_of(header)
        if header.startswith("tests/"):
            yield number, f"'{header}' belongs to the tests", "the program never includes test code"
        elif target and not wiring and target != own and target not in LEVELS[own] \
                and header not in INTERFACES.get(own, []):
            allowed = ", ".join(LEVELS[own] + INTERFACES.get(own, [])) or "nothing of ours"
            yield (number, f"'{own}' may not include '{header}'",
                   f"it may include {allowed}; move the code up, or let the upper folder hand over a value or an interface")


def check(root):
    """All problems below `root` as text lines; and how many files were read."""
    problems, count = [], 0
    for top in sorted({folder.split("/")[0] for folder in LEVELS}):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".inc"):
                continue
            count += 1
            name = path.relative_to(root).as_posix()
            for line, rule, mend in problems_of_file(name, path.read_text(encoding="utf-8")):
                problems.append(f"{name}:{line}: error: {rule}\n  help: {mend}")
    return problems, count


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    problems, count = check(root)
    print("\n".join(problems), end="\n" if problems else "")
    if count == 0:
        print(f"layers: no source file below {root}")
        return 1
    print(f"layers: {len(problems)} problems in {count} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
