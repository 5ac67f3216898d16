// Archives of both readers: whatever the bytes are, nothing is written outside of the directory.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "cache/layer_pack.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/unpack.h"
#include "tests/fuzz/check.h"

namespace {

namespace fs = std::filesystem;

runner::UnpackLimits small_limits() {
  runner::UnpackLimits limits;
  limits.entries = 200;
  limits.bytes = 1U << 20U;
  limits.all_paths = 64U << 10U;
  return limits;
}

/// Runs one reader; all that may come is an Error.
template <typename Body>
void unpack_into(const fs::path& top, Body body) {
  const fs::path target = top / "target";
  fs::create_directory(target);
  try {
    body(target);
  } catch (const runner::Error& error) {
    runner::test::promise(std::string_view(error.what()).find('\x1b') == std::string_view::npos,
                          "tame messages");
  }
  runner::remove_tree(target);
  int others = 0;
  for (const auto& entry : fs::directory_iterator(top))
    others += entry.path().filename() == "archive" ? 0 : 1;
  runner::test::promise(others == 0, "nothing beside the target");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  const runner::TempDir dir("fuzz-unpack-");
  const fs::path archive = dir.path() / "archive";
  runner::write_file_atomic(archive, {reinterpret_cast<const char*>(data), size}, 0644, false);
  unpack_into(dir.path(), [&](const fs::path& target) {
    runner::UnpackOptions options;
    options.limits = small_limits();
    runner::unpack(archive, target, options);
  });
  unpack_into(dir.path(), [&](const fs::path& target) {
    runner::cache::read_packed_layer(archive, "sha256:none", target, small_limits());
  });
  return 0;
}
