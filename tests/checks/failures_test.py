#!/usr/bin/env python3
"""What failed in a run is found in what ctest keeps of it."""
import unittest

import failures


def run_of(name, output, end):
    return (f"1/9 Testing: {name}\n1/9 Test: {name}\nCommand: \"/build/{name}\"\nDirectory: /build\n"
            f"\"{name}\" start time: Jan 01 00:00 UTC\nOutput:\n{'-' * 58}\n{output}<end of output>\nTest time =   0.04 sec\n"
            f"{'-' * 58}\n{end}\n\"{name}\" end time: Jan 01 00:00 UTC\n\"{name}\" time elapsed: 00:00:00\n{'-' * 58}\n\n")


PASSED = "[ RUN      ] A.Passes\n[       OK ] A.Passes (1 ms)\n"
FAILED = "[ RUN      ] A.Fails/docker\na.cpp:3: Failure\nValue of: x\n[  FAILED  ] A.Fails/docker, where GetParam() = 1 (2 ms)\n"
LIST = "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] A.Fails/docker\n"


class FailuresTest(unittest.TestCase):
    def test_each_failed_test_is_shown_with_its_lines(self):
        log = (run_of("a_tests.0", PASSED, "Test Passed.") + run_of("a_tests.1", PASSED + FAILED + PASSED + LIST, "Test Failed.")
               + run_of("b_tests.0", "[ RUN      ] B.Is\n[  SKIPPED ] B.Is (0 ms)\n", "Test Passed."))
        self.assertEqual(failures.failures_of(log),
                         [("a_tests.1: A.Fails/docker", ["a.cpp:3: Failure", "Value of: x"])])

    def test_a_program_that_ends_in_the_middle_names_the_test(self):
        log = run_of("a_tests.1", PASSED + "[ RUN      ] A.Dies\nERROR: AddressSanitizer\n", "Test Timeout.")
        self.assertEqual(failures.failures_of(log),
                         [("a_tests.1: A.Dies (in the middle of it: Test Timeout)", ["ERROR: AddressSanitizer"])])

    def test_of_other_programs_the_output_is_shown_and_long_ones_are_cut(self):
        log = run_of("checks.layers", "".join(f"line {n}\n" for n in range(200)), "Test Failed.")
        (name, lines), = failures.failures_of(log)
        self.assertEqual(name, "checks.layers (Test Failed)")
        self.assertEqual((lines[0], lines[-1], len(lines)), ("line 0", "line 199", failures.MOST_LINES + 1))


if __name__ == "__main__":
    unittest.main()
