#include "tests/support/source_dir.h"

namespace runner::test {

std::filesystem::path source_dir() {
  return RUNNER_SOURCE_DIR;
}

}  // namespace runner::test
