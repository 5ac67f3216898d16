#pragma once
// Rows in aligned columns, for people. Pure; any thread.

#include <cstdint>
#include <string>
#include <vector>

#include "runner/cli/screen.h"

namespace runner::cli {

struct Column {
  std::string title;
  enum class Align : std::uint8_t { left, right } align = Align::left;
};

/// The titles, then the rows, two blanks between columns; nothing is cut or wrapped, and no line ends in
/// blanks. Rows may be shorter than the columns. Control characters are shown as '?': names come from
/// pipelines, and a terminal would obey them. "" when there are no rows.
std::string table_text(const Screen& screen, const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows);

/// The same for facts of one thing: "name:  value" in two columns. Values may have several lines.
std::string facts_text(const Screen& screen, const std::vector<std::pair<std::string, std::string>>& facts);

/// Without characters that a terminal would obey; line ends as well.
std::string printable(std::string_view text);

}  // namespace runner::cli
