// Cron expressions. An input is one expression; with a line end behind it, a time in seconds follows.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runner/base/text.h"
#include "runner/triggers/cron.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  using namespace runner::triggers;
  static const TimeZone zones[] = {TimeZone::utc(), TimeZone::load("Europe/Berlin"),
                                   TimeZone::load("Australia/Lord_Howe")};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\n');
  const std::string_view text = input.substr(0, end);
  const auto seconds = end == std::string_view::npos ? std::nullopt : parse_integer(input.substr(end + 1));
  CronError error;
  const auto cron = Cron::parse(text, error);
  if (!cron) {
    test::promise(!error.message.empty() && !error.help.empty(), "a refused expression says why");
    test::promise(error.offset <= text.size(), "the place of an error is in the text");
    return 0;
  }
  const std::int64_t most =
      std::chrono::duration_cast<std::chrono::seconds>(TimePoint::max().time_since_epoch()).count();
  const TimePoint start(std::chrono::seconds(seconds.value_or(1'772'000'000) % most));
  for (const TimeZone& zone : zones) {
    TimePoint time = start;
    for (int i = 0; i < 5; ++i) {
      const auto next = cron->next_after(time, zone);
      if (!next) break;
      test::promise(*next > time, "time goes on");
      // Nothing is between them: half of the way there the next is the same.
      test::promise(cron->next_after(time + (*next - time) / 2, zone) == next, "the next is the next");
      time = *next;
    }
  }
  return 0;
}
