"""check.py RELEASE VERSION: starts the release on a free port and asks for its health."""
import json
import os
import re
import subprocess
import sys
import urllib.request


def main():
    release, version = sys.argv[1:]
    server = subprocess.Popen(
        [sys.executable, "-m", "shortlinks", "--port", "0"], cwd=release, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "SHORTLINKS_VERSION": version})
    try:
        address = re.search(r"http://\S+", server.stdout.readline())
        if not address:
            sys.exit("the release did not start")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address[0] + "/health", timeout=10) as response:
            health = json.load(response)
        if health != {"status": "ok", "version": version}:
            sys.exit(f"the release answers {health}")
        print(f"release {version} is well")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
