#!/usr/bin/env python3
"""The layer check must fail on what it is for: each case is one small tree."""
import pathlib
import tempfile
import unittest

import layers


def problems(files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return layers.check(pathlib.Path(root))[0]


class LayersTest(unittest.TestCase):
    def test_arrow_down_is_allowed(self):
        self.assertEqual(problems({"cache/a.cpp": '#include "cache/a.h"\n#include "runner/base/fd.h"\n'}), [])

    def test_arrow_up_is_refused_with_its_line(self):
        found = problems({"runner/base/a.cpp": '#include <string>\n#include "pipelines/plan.h"\n'})
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0].startswith("runner/base/a.cpp:2: error: 'runner/base' may not include"), found[0])

    def test_folders_of_one_level_do_not_meet(self):
        for own, other in [("cache", "artifacts"), ("executors", "pipelines"), ("artifacts", "executors")]:
            self.assertEqual(len(problems({f"{own}/a.h": f'#include "{other}/b.h"\n'})), 1, (own, other))

    def test_engine_sees_interfaces_only(self):
        self.assertEqual(problems({"runner/engine/a.cpp": '#include "executors/executor.h"\n'}), [])
        self.assertEqual(len(problems({"runner/engine/a.cpp": '#include "executors/shell_executor.h"\n'})), 1)

    def test_wiring_sees_everything(self):
        self.assertEqual(problems({"runner/cli/exec.cpp": '#include "executors/shell_executor.h"\n',
                                   "runner/main.cpp": '#include "runner/cli/options.h"\n'}), [])

    def test_nobody_includes_the_wiring(self):
        self.assertEqual(len(problems({"runner/engine/a.cpp": '#include "runner/cli/view.h"\n'})), 1)

    def test_heavy_headers_are_refused_in_headers_only(self):
        for header in ["boost/asio.hpp", "nlohmann/json.hpp", "yaml.h", "re2/re2.h", "spdlog/spdlog.h", "CLI/CLI.hpp",
                       "sqlite3.h", "git2.h", "archive.h", "curl/curl.h", "expat.h", "regex", "iostream", "libpq-fe.h"]:
            self.assertEqual(len(problems({"cache/a.h": f"# include <{header}>\n"})), 1, header)
            self.assertEqual(problems({"cache/a.cpp": f"#include <{header}>\n"}), [], header)
        self.assertEqual(problems({"cache/a.h": "#include <nlohmann/json_fwd.hpp>\n"}), [])

    def test_program_never_includes_tests(self):
        self.assertEqual(len(problems({"runner/cli/a.cpp": '#include "tests/support/golden.h"\n'})), 1)

    def test_unknown_folder_is_refused(self):
        self.assertEqual(len(problems({"runner/misc/a.h": "#pragma once\n"})), 1)

    def test_empty_tree_is_no_success(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(layers.check(pathlib.Path(root)), ([], 0))


if __name__ == "__main__":
    unittest.main()
