#include "tests/support/golden.h"

#include <cstdlib>

#include "runner/base/files.h"
#include "tests/support/source_dir.h"

namespace runner::test {

std::string compare_golden(const std::filesystem::path& file, const std::string& actual) {
  const std::filesystem::path path = source_dir() / "tests" / file;
  if (std::getenv("RUNNER_TEST_ACCEPT") != nullptr) {
    make_directories(path.parent_path());
    write_file_atomic(path, actual, 0644, false);
    return {};
  }
  const auto expected = read_file(path);
  if (!expected)
    return "no golden file " + path.string() + "; RUNNER_TEST_ACCEPT=1 writes it. Actual:\n" + actual;
  if (*expected == actual) return {};
  return "differs from " + path.string() + "\n--- expected\n" + *expected + "--- actual\n" + actual;
}

}  // namespace runner::test
