"""python3 -m shortlinks [--port N] [--database FILE]"""
import argparse
import os

from shortlinks.app import Server
from shortlinks.store import Store


def main():
    parser = argparse.ArgumentParser(prog="shortlinks")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--database", default=":memory:")
    options = parser.parse_args()
    server = Server((options.host, options.port), Store(options.database),
                    version=os.environ.get("SHORTLINKS_VERSION", "development"), verbose=True)
    print("listening on http://%s:%d" % server.server_address[:2], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
