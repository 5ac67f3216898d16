// Both glob languages. An input is a pattern, a line end, and a path.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runner/base/glob.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  if (size > 4096) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\n');
  const auto pattern = input.substr(0, end);
  const auto path = end == std::string_view::npos ? std::string_view("dir/file.txt") : input.substr(end + 1);
  for (const auto dialect : {GlobDialect::rules, GlobDialect::paths}) {
    const Glob glob(pattern, dialect);
    const bool matches = glob.matches(path);
    test::promise(matches == glob.matches(path), "the same twice");
    if (!matches || path.empty() || path.front() == '/') continue;
    // A walk that skips a directory must not lose a match below it.
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      test::promise(glob.could_match_below(path.substr(0, slash)), "a match is below what could match");
    }
  }
  return 0;
}
