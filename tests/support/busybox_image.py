#!/usr/bin/env python3
"""Writes an archive that container engines load (`docker load`): an image of busybox and what is asked for.

    busybox_image.py FILE NAME [CONFIG] [PATH=SOURCE ...]

CONFIG is the image's configuration as JSON, {"Entrypoint": [...], "ExposedPorts": {...}, ...}. Each SOURCE is a file
of this machine that becomes PATH, with its mode and the libraries it needs.
"""
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

USERS = ("root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/tmp:/bin/sh\n"
         "nobody:x:65534:65534:nobody:/:/bin/false\n")
GROUPS = "root:x:0:\nbuilder:x:1000:\nnobody:x:65534:\n"


def add(archive, name, content, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def add_directory(archive, name, mode=0o755):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)


def with_libraries(sources):
    """The files by the place they get."""
    files = {}
    for source in sources:
        target, path = source.split("=", 1)
        files[target] = path
        listed = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
        for word in listed.split():
            if word.startswith("/"):
                files[word.lstrip("/")] = word
    return files


def layer(sources):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ["bin", "etc", "root"]:
            add_directory(archive, name)
        add_directory(archive, "tmp", 0o1777)
        add(archive, "bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), 0o755)
        tools = subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split()
        for tool in tools:
            if tool != "busybox":
                entry = tarfile.TarInfo("bin/" + tool)
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
        add(archive, "etc/passwd", USERS.encode())
        add(archive, "etc/group", GROUPS.encode())
        made = {"bin", "etc", "root", "tmp"}
        for target, path in with_libraries(sources).items():
            for parent in reversed(pathlib.PurePosixPath(target).parents):
                if str(parent) not in made | {"."}:
                    made.add(str(parent))
                    add_directory(archive, str(parent))
            add(archive, target, pathlib.Path(path).read_bytes(), pathlib.Path(path).stat().st_mode & 0o777)
    return content.getvalue()


def main():
    file, name = sys.argv[1:3]
    config = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    content = layer(sys.argv[4:])
    digest = hashlib.sha256(content).hexdigest()
    image = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], **config},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}, "history": [{"created_by": "test"}],
    }).encode()
    image_name = hashlib.sha256(image).hexdigest() + ".json"
    with tarfile.open(file, "w") as archive:
        add(archive, image_name, image)
        add(archive, digest + "/layer.tar", content)
        add(archive, "manifest.json",
            json.dumps([{"Config": image_name, "RepoTags": [name], "Layers": [digest + "/layer.tar"]}]).encode())


if __name__ == "__main__":
    main()
