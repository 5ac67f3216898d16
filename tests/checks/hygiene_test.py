#!/usr/bin/env python3
"""The hygiene check must fail on what it is for."""
import pathlib
import tempfile
import unittest

import hygiene


def problems(name, text):
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return hygiene.check(pathlib.Path(root))


class HygieneTest(unittest.TestCase):
    def test_header_needs_its_guard(self):
        self.assertEqual(len(problems("cache/a.h", "// #pragma once\n")), 1)
        self.assertEqual(problems("cache/a.h", "#pragma once\n"), [])

    def test_machine_paths_are_refused(self):
        for path in ["/wor" + "k/main/x", "/Use" + "rs/jo/src", "/hom" + "e/jo/src"]:
            self.assertEqual(len(problems("docs/a.md", f"see {path}\n")), 1, path)

    def test_paths_inside_a_project_are_fine(self):
        for text in ["DATA/work/ATTEMPT/upper", "$DATA/work/1", "${x}/work/y", "build/work/z", "/var/lib/runner", "./work/a", "/work/incompat"]:
            self.assertEqual(problems("docs/a.md", text + "\n"), [], text)

    def test_registry_hosts_are_refused(self):
        self.assertEqual(len(problems("dev", "curl https://" + "registry." + "npmjs" + ".org/x\n")), 1)


if __name__ == "__main__":
    unittest.main()
