#pragma once
// Turns the raw log of a job into lines that are safe to show among other text: section markers, cursor
// movements and other control characters are gone, progress bars are their last state. Pure; one thread.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace runner::cli {

/// Feed it chunks of any size. Holds at most one line of bounded length.
class JobLines {
 public:
  using OnLine = std::function<void(std::string_view line)>;
  /// A section of the log begins or ends; told before the line that its marker is in.
  using OnSection = std::function<void(std::string_view name, bool begins)>;

  /// Without `color` all escape sequences go; with it, colours stay and lines end without one.
  explicit JobLines(bool color, OnLine on_line, OnSection on_section = {});

  void feed(std::string_view bytes);
  /// The same for one who wants only the last `lines` lines: earlier ones in `bytes` may be passed over.
  void feed_end(std::string_view bytes, std::size_t lines);
  /// Hands out a last line without an end.
  void flush();
  /// What the line that is being written shows now. May be empty.
  std::string partial() const;

 private:
  void emit(std::string_view raw);

  bool color_;
  OnLine on_line_;
  OnSection on_section_;
  std::string line_;  // raw bytes since the last line end
  std::string shown_;
};

/// One raw line (without its end) as it is to be shown. False when it held only markers and is to be left
/// out.
bool clean_line(std::string_view raw, bool color, std::string& out);

}  // namespace runner::cli
