#pragma once
// What text looks like on the user's screen: colours, symbols, widths. Pure but for detect_screen(); any
// thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace runner::cli {

/// What the output can show.
struct Screen {
  bool live = false;  // a terminal that can repaint
  bool color = false;
  bool utf8 = true;
  std::size_t width = 80, height = 24;
};

/// For descriptor `fd` (1 or 2). `no_color` is the option; NO_COLOR, CLICOLOR_FORCE, TERM and the locale's
/// variables are read from the environment.
Screen detect_screen(int fd, bool no_color);
/// Only the size, after SIGWINCH. Keeps what it cannot find out.
void update_size(int fd, Screen& screen);

enum class Tone { plain, dim, bold, red, green, yellow, blue, magenta, cyan };

/// `text` in a tone; unchanged without colour.
std::string paint(const Screen& screen, Tone tone, std::string_view text);

/// Columns that valid UTF-8 text takes; escape sequences take none, invalid bytes one.
std::size_t display_width(std::string_view text);
/// Cut to `columns`, with an ellipsis when something is missing. `text` holds no escape sequences.
std::string truncate(const Screen& screen, std::string_view text, std::size_t columns);
/// Cut or filled with blanks to exactly `columns`.
std::string pad(const Screen& screen, std::string_view text, std::size_t columns);

struct Symbols {
  std::string_view passed, failed, warned, skipped, waiting, canceled, started, bar, ellipsis;
};
const Symbols& symbols(const Screen& screen);

}  // namespace runner::cli
