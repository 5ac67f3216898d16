#include "tests/engine/shell_launcher.h"

#include <gtest/gtest.h>

namespace runner::test {
namespace {

class LauncherEnvironment final : public testing::Environment {
 public:
  void SetUp() override { launcher = std::make_unique<executors::Launcher>(executors::Launcher::start()); }
  void TearDown() override { launcher.reset(); }
  static inline std::unique_ptr<executors::Launcher> launcher;
};

const auto* const kEnvironment = testing::AddGlobalTestEnvironment(new LauncherEnvironment);

}  // namespace

const executors::Launcher& test_launcher() {
  return *LauncherEnvironment::launcher;
}

}  // namespace runner::test
