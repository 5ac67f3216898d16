#include "runner/cli/event_stream.h"

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

void EventStream::restart() {
  line_.clear();
  event_ = {};
  has_data_ = after_cr_ = begun_ = false;
}

bool EventStream::feed(std::string_view bytes) {
  while (!bytes.empty() && !stopped_) {
    if (after_cr_) {
      // CR LF is one line end, wherever the pieces were cut.
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() + event_.data.size() > kMaxEvent)
      throw Error(ErrorCode::corrupt,
                  "cannot read the server's answer: an event is longer than " + format_bytes(kMaxEvent));
    line_ += part;
    if (end == std::string_view::npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    stopped_ = !end_line();
  }
  return !stopped_;
}

bool EventStream::end_line() {
  std::string_view line = line_;
  if (!begun_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  begun_ = true;
  bool go_on = true;
  if (!line.empty()) {
    const std::size_t colon = line.find(':');
    std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    take_field(line.substr(0, colon), value);
  } else if (has_data_) {
    if (event_.type.empty()) event_.type = "message";
    event_.id = last_id_;
    event_.data.pop_back();  // of the last line
    go_on = on_event_(event_);
  }
  if (line.empty()) {
    event_ = {};
    has_data_ = false;
  }
  line_.clear();
  return go_on;
}

void EventStream::take_field(std::string_view name, std::string_view value) {
  if (name == "event") {
    event_.type = value;
  } else if (name == "data") {
    event_.data.append(value).push_back('\n');
    has_data_ = true;
  } else if (name == "id") {
    // It goes back in a header.
    if (value.find_first_of(std::string_view("\0", 1)) == std::string_view::npos) last_id_ = value;
  } else if (name == "retry") {
    const auto number = parse_integer(value);
    if (number && *number >= 0) retry_ = std::chrono::milliseconds(*number);
  }
}

}  // namespace runner::cli
