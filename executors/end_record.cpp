#include <charconv>
#include <string>

#include "executors/supervisor.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

constexpr std::size_t kRecordSize = 64;
constexpr std::string_view kKind = "runner-end-1";

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

struct EncodeEnd {
  std::string operator()(const Exited& end) const { return "exited " + std::to_string(end.code); }
  std::string operator()(const Signaled& end) const {
    return (end.core_dumped ? "dumped " : "signaled ") + std::to_string(end.signo);
  }
  std::string operator()(const OomKilled&) const { return "oom 0"; }
  std::string operator()(const Stopped&) const { return "stopped 0"; }
  std::string operator()(const Lost&) const { return "lost 0"; }
};

}  // namespace

// "runner-end-1 exited 0 0 0 .\n" and blanks: kind, how, number, errno of the spool, lost bytes, end mark.
std::string encode_end(const EndRecord& record) {
  std::string text = std::string(kKind) + " " + std::visit(EncodeEnd{}, record.end) + " " +
                     std::to_string(record.spool_errno) + " " + std::to_string(record.lost_bytes) + " .";
  text.resize(kRecordSize - 1, ' ');
  return text + "\n";
}

std::optional<EndRecord> decode_end(std::string_view text) {
  const auto words = split_words(text);
  EndRecord record;
  int number = 0;
  if (words.size() != 6 || words[0] != kKind || words[5] != "." || !parse(words[2], number) ||
      !parse(words[3], record.spool_errno) || !parse(words[4], record.lost_bytes))
    return std::nullopt;
  if (words[1] == "exited") {
    record.end = Exited{number};
  } else if (words[1] == "signaled" || words[1] == "dumped") {
    record.end = Signaled{number, words[1] == "dumped"};
  } else if (words[1] == "stopped") {
    record.end = Stopped{};
  } else {
    return std::nullopt;
  }
  return record;
}

}  // namespace runner::executors
