#include "runner/cli/table.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

constexpr std::size_t kGap = 2;

std::size_t blanks_for(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return used < width ? width - used : 0;
}

std::string line_of(const std::vector<Column>& columns, const std::vector<std::size_t>& widths,
                    const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < columns.size() && i < cells.size(); ++i) {
    if (i > 0) line.append(kGap, ' ');
    const std::size_t blanks = blanks_for(cells[i], widths[i]);
    const bool right = columns[i].align == Column::Align::right;
    if (right) line.append(blanks, ' ');
    line += cells[i];
    if (!right) line.append(blanks, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out = to_utf8(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  // The same of ISO 6429's second half: U+0080 to U+009F.
  for (std::size_t at = out.find('\xc2'); at != std::string::npos; at = out.find('\xc2', at + 1)) {
    if (static_cast<unsigned char>(out[at + 1]) < 0xa0) out.replace(at, 2, "?");
  }
  return out;
}

std::string table_text(const Screen& screen, const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return {};
  std::vector<std::vector<std::string>> shown;
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    titles.push_back(column.title);
    widths.push_back(display_width(column.title));
  }
  for (const std::vector<std::string>& row : rows) {
    std::vector<std::string>& cells = shown.emplace_back();
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
      cells.push_back(printable(row[i]));
      widths[i] = std::max(widths[i], display_width(cells[i]));
    }
  }
  std::string out = paint(screen, Tone::dim, line_of(columns, widths, titles)) + "\n";
  for (const std::vector<std::string>& cells : shown) out += line_of(columns, widths, cells) + "\n";
  return out;
}

std::string facts_text(const Screen& screen, const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, display_width(name) + 1);
  std::string out;
  for (const auto& [name, value] : facts) {
    const std::string label = name + ":";
    bool first = true;
    for (const std::string_view part : split(value, '\n')) {
      const std::size_t blanks = (first ? blanks_for(label, width) : width) + kGap;
      if (first) out += paint(screen, Tone::dim, label);
      if (!part.empty()) out.append(blanks, ' ').append(printable(part));
      out += '\n';
      first = false;
    }
  }
  return out;
}

}  // namespace runner::cli
