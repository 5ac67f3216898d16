// Files of time zones. An input is one TZif file.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runner/base/error.h"
#include "runner/base/time_zone.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  using std::chrono::sys_seconds;
  try {
    const TimeZone zone = TimeZone::parse("Test", {reinterpret_cast<const char*>(data), size});
    for (const std::int64_t seconds : {INT64_MIN, std::int64_t{-5'000'000'000}, std::int64_t{0},
                                       std::int64_t{1'772'000'000}, std::int64_t{5'000'000'000}, INT64_MAX}) {
      sys_seconds time{std::chrono::seconds(seconds)};
      for (int i = 0; i < 20; ++i) {
        const auto period = zone.at(time);
        const bool inside = period.begin <= time && time < period.end;
        test::promise(inside || seconds == INT64_MIN || seconds == INT64_MAX, "a time is in its period");
        const auto moments = zone.to_utc(zone.to_local(time));
        test::promise(moments.first <= moments.last, "moments are in order");
        if (period.end == sys_seconds::max()) break;
        time = period.end;
      }
    }
  } catch (const Error& error) {
    test::promise(error.code() == ErrorCode::corrupt || error.code() == ErrorCode::invalid_input,
                  "a refused file says why");
  }
  return 0;
}
