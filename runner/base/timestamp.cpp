#include "runner/base/timestamp.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace runner {

std::string format_iso8601_ms(TimePoint time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  std::string text = format_iso8601(std::chrono::time_point_cast<std::chrono::milliseconds>(second));
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>((time - second).count()));
  text.insert(text.size() - 1, fraction.data());
  return text;
}

}  // namespace runner
