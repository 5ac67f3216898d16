#include "runner/git/convert.h"

#include <iconv.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "runner/base/text.h"

namespace runner::git {
namespace {

struct Statistics {
  std::size_t lone_cr = 0, lone_lf = 0, crlf = 0, nul = 0, printable = 0, other = 0;

  explicit Statistics(std::string_view content) {
    for (std::size_t i = 0; i < content.size(); ++i) {
      const auto c = static_cast<unsigned char>(content[i]);
      if (c == '\r') {
        const bool pair = i + 1 < content.size() && content[i + 1] == '\n';
        ++(pair ? crlf : lone_cr);
        if (pair) ++i;
      } else if (c == '\n') {
        ++lone_lf;
      } else if ((c >= 32 && c != 127) || c == '\b' || c == '\t' || c == '\033' || c == '\f') {
        ++printable;
      } else {
        if (c == 0) ++nul;
        ++other;
      }
    }
    if (content.ends_with('\032') && other > 0) --other;  // the end mark of old systems
  }

  bool binary() const { return lone_cr > 0 || nul > 0 || printable / 128 < other; }
};

bool wants_crlf(std::string_view content, FileAttributes::LineEnds line_ends) {
  if (line_ends == FileAttributes::LineEnds::as_they_are || content.empty()) return false;
  const Statistics found(content);
  if (found.lone_lf == 0) return false;
  if (line_ends == FileAttributes::LineEnds::crlf) return true;
  return found.crlf == 0 && !found.binary();
}

std::string with_crlf(std::string_view content) {
  std::string out;
  out.reserve(content.size() + content.size() / 16);
  char before = '\0';
  for (const char c : content) {
    if (c == '\n' && before != '\r') out += '\r';
    out += c;
    before = c;
  }
  return out;
}

/// Behind the "Id" keyword that begins at `text`, past its closing dollar; 0 when it is none.
std::size_t keyword_end(std::string_view text) {
  if (!text.starts_with("Id") || text.size() < 3) return 0;
  if (text[2] == '$') return 3;
  if (text[2] != ':') return 0;
  const std::size_t dollar = text.find('$', 3);
  if (dollar == std::string_view::npos) return 0;
  const std::string_view inside = text.substr(3, dollar - 3);
  if (inside.find('\n') != std::string_view::npos) return 0;
  // Blanks between words: a keyword of another system, which stays.
  const std::size_t blank = inside.find(' ', 1);
  if (blank != std::string_view::npos && blank + 1 < inside.size()) return 0;
  return dollar + 1;
}

std::string with_ident(std::string_view content, std::string_view blob_id) {
  std::string out;
  while (true) {
    const std::size_t dollar = content.find('$');
    if (dollar == std::string_view::npos) break;
    out.append(content.substr(0, dollar + 1));
    content.remove_prefix(dollar + 1);
    const std::size_t end = keyword_end(content);
    if (end == 0) continue;
    out.append("Id: ").append(blob_id).append(" $");
    content.remove_prefix(end);
  }
  return out.append(content);
}

struct IconvClose {
  void operator()(void* handle) const noexcept { ::iconv_close(handle); }
};

/// False when it cannot be done.
bool encode(std::string_view content, std::string_view encoding, std::string& out) {
  out.clear();
  std::string name(encoding);
  const std::string upper_end = to_lower(encoding);
  if (upper_end == "utf-16le-bom" || upper_end == "utf-16be-bom") {
    name.resize(name.size() - 4);
    out = upper_end == "utf-16le-bom" ? "\xFF\xFE" : "\xFE\xFF";
  }
  iconv_t opened = ::iconv_open(name.c_str(), "UTF-8");
  if (reinterpret_cast<std::intptr_t>(opened) == -1) return false;
  const std::unique_ptr<void, IconvClose> handle(opened);
  std::string input(content);
  char* from = input.data();
  std::size_t left = input.size();
  std::array<char, 16U << 10U> buffer;
  while (true) {
    char* to = buffer.data();
    std::size_t room = buffer.size();
    const std::size_t result = ::iconv(opened, &from, &left, &to, &room);
    out.append(buffer.data(), buffer.size() - room);
    if (result != static_cast<std::size_t>(-1)) return true;
    if (errno != E2BIG) return false;
  }
}

bool is_utf8_name(std::string_view encoding) {
  const std::string lower = to_lower(encoding);
  return lower == "utf-8" || lower == "utf8";
}

}  // namespace

bool convert_to_work_tree(std::string_view content, const FileAttributes& attributes,
                          std::string_view blob_id, std::string& out, std::string& problem) {
  bool changed = false;
  if (attributes.ident && content.find("$Id") != std::string_view::npos) {
    out = with_ident(content, blob_id);
    content = out;
    changed = true;
  }
  if (wants_crlf(content, attributes.line_ends)) {
    out = with_crlf(content);
    content = out;
    changed = true;
  }
  if (!attributes.encoding.empty() && !content.empty() && !is_utf8_name(attributes.encoding)) {
    std::string encoded;
    if (encode(content, attributes.encoding, encoded)) {
      out = std::move(encoded);
      changed = true;
    } else {
      problem = "cannot be written in the encoding " + in_quotes(attributes.encoding) + "; it stays UTF-8";
    }
  }
  return changed;
}

bool is_lfs_pointer(std::string_view content) {
  return content.size() < 1024 && (content.starts_with("version https://git-lfs.github.com/spec/") ||
                                   content.starts_with("version https://hawser.github.com/spec/"));
}

}  // namespace runner::git
