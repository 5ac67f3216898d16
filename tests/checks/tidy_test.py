#!/usr/bin/env python3
"""What was found clean is looked at again when anything changed, and what was not, always."""
import json
import pathlib
import tempfile
import unittest

import tidy

# Stands for clang-tidy: notes which file it was given, and finds fault with files that hold the word 'bad'.
TOOL = """#!/bin/sh
[ "$1" = --version ] && { cat "$(dirname "$0")/version"; exit 0; }
file=$4
echo "$file" >> "$(dirname "$0")/seen"
case $(cat "$file") in
  *crash*) echo "stack dump" >&2; exit 139 ;;
  *bad*) echo "$file:1:1: error: it is bad [bad]"; exit 1 ;;
esac
"""


class TidyTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name, "tree")
        self.write("one.cpp", '#include "lib/one.h"\n')
        self.write("two.cpp", "#include <string>\n")
        self.write("lib/one.h", '#include "lib/deep.h"\n')
        self.write("lib/deep.h", "")
        self.write(".clang-tidy", "Checks: all")
        self.write("build/tidy/CMakeCache.txt", f"CMAKE_HOME_DIRECTORY:INTERNAL={self.root}\n")
        self.flags("-O0")
        self.tool = pathlib.Path(directory.name, "bin/tool")
        self.tool.parent.mkdir()
        self.tool.write_text(TOOL, encoding="utf-8")
        self.tool.chmod(0o755)
        self.version("14")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def version(self, text):
        (self.tool.parent / "version").write_text(text, encoding="utf-8")

    def flags(self, flags):
        entries = [{"file": str(self.root / name), "command": f"c++ {flags} -I{self.root} {name}"}
                   for name in ("one.cpp", "two.cpp")]
        self.write("build/tidy/compile_commands.json", json.dumps(entries))

    def run_check(self, anew=False):
        """(names of the files that were looked at, findings)"""
        seen = self.tool.parent / "seen"
        seen.unlink(missing_ok=True)
        bad = tidy.check(self.root / "build/tidy", 2, str(self.tool), self.root.parent / "memory", anew)[2]
        looked = seen.read_text(encoding="utf-8").split() if seen.exists() else []
        return sorted(pathlib.Path(name).name for name in looked), bad

    def test_clean_files_are_looked_at_once(self):
        self.assertEqual(self.run_check(), (["one.cpp", "two.cpp"], []))
        self.assertEqual(self.run_check(), ([], []))

    def test_whatever_matters_makes_it_look_again(self):
        self.run_check()
        both = ["one.cpp", "two.cpp"]
        for change, expected in [
                (lambda: self.write("two.cpp", "#include <vector>\n"), ["two.cpp"]),
                (lambda: self.write("lib/one.h", '#include "lib/deep.h"\n\n'), ["one.cpp"]),
                (lambda: self.write("lib/deep.h", "int x;\n"), []),
                (lambda: self.write(".clang-tidy", "Checks: some"), both),
                (lambda: self.flags("-O1"), both),
                (lambda: self.version("15"), both)]:
            change()
            self.assertEqual(self.run_check(), (expected, []))

    def test_files_that_are_compiled_as_one_are_looked_at_when_one_changes(self):
        unit = self.root / "build/tidy/unit.cxx"
        unit.write_text(f'#include "{self.root}/one.cpp"\n#include "{self.root}/two.cpp"\n', encoding="utf-8")
        self.write("build/tidy/compile_commands.json", json.dumps([{"file": str(unit), "command": "c++ unit.cxx"}]))
        self.assertEqual(self.run_check(), (["unit.cxx"], []))
        for name in ("two.cpp", "lib/one.h"):
            self.assertEqual(self.run_check(), ([], []))
            self.write(name, "int other;\n")
            self.assertEqual(self.run_check(), (["unit.cxx"], []))

    def test_all_are_looked_at_when_that_is_asked_for(self):
        self.run_check()
        self.assertEqual(self.run_check(anew=True), (["one.cpp", "two.cpp"], []))

    def test_findings_are_not_remembered(self):
        self.write("one.cpp", "bad\n")
        for _ in range(2):
            looked, bad = self.run_check()
            self.assertIn("one.cpp", looked)
            self.assertEqual(len(bad), 1)
            self.assertIn("it is bad [bad]", bad[0])

    def test_a_tool_that_dies_is_a_failure(self):
        self.write("one.cpp", "crash\n")
        bad = self.run_check()[1]
        self.assertEqual(len(bad), 1)
        self.assertIn("ended with 139", bad[0])


if __name__ == "__main__":
    unittest.main()
