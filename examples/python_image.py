"""Writes the Python of this machine, its libraries and a shell to standard output, as the tar of an image's files."""
import os
import re
import subprocess
import sys
import tarfile

PACKAGES = ["python3-minimal", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"]
LEFT_OUT = re.compile(r"/usr/share/|/__pycache__|/test/|/ensurepip/|/idlelib/|/lib2to3/|/pydoc_data/")
USR_MERGED = ("bin", "lib", "lib64", "sbin")  # in Debian links into /usr


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def libraries_of(programs):
    return set(re.findall(r"(?:=> |^\t)(/\S+)", output_of("ldd", *programs), re.MULTILINE))


def main():
    files = {path for path in output_of("dpkg", "-L", *PACKAGES).splitlines()
             if not LEFT_OUT.search(path) and not os.path.isdir(path)}
    programs = [path for path in files if path.endswith(".so")] + ["/usr/bin/python3", "/bin/sh"]
    files |= libraries_of(programs) | {"/bin/sh"}
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", dereference=True) as tar:
        for name in USR_MERGED:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "usr/" + name
            tar.addfile(link)
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(temporary)
        for path in sorted({os.path.join(os.path.realpath(os.path.dirname(each)), os.path.basename(each))
                            for each in files}):
            tar.add(path, recursive=False)


if __name__ == "__main__":
    main()
