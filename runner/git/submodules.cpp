#include "runner/git/submodules.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/attributes.h"

namespace runner::git {
namespace {

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

/// The text of a git configuration file, as far as it is one of sections and values.
class ConfigText {
 public:
  explicit ConfigText(std::string_view text) : text_(text) {}

  template <typename Take>
  void each(Take take) {
    while (at_ < text_.size()) {
      skip_blanks();
      if (at_ >= text_.size()) return;
      if (text_[at_] == '#' || text_[at_] == ';') {
        skip_line();
      } else if (text_[at_] == '[') {
        read_section();
      } else {
        const std::string key = read_key();
        take(section_, subsection_, key, read_value());
      }
    }
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  void read_section() {
    ++at_;
    section_.clear();
    subsection_.clear();
    while (at_ < text_.size() && text_[at_] != ']' && text_[at_] != '"' && text_[at_] != '\n') {
      if (!is_blank(text_[at_])) section_ += text_[at_];
      ++at_;
    }
    section_ = to_lower(section_);
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        subsection_ += text_[at_];
      }
    }
    while (at_ < text_.size() && text_[at_] != ']' && text_[at_] != '\n') ++at_;
    if (at_ < text_.size()) ++at_;
  }

  std::string read_key() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '=' && text_[at_] != '\n') ++at_;
    return to_lower(trim(text_.substr(begin, at_ - begin)));
  }

  std::string read_value() {
    std::string value;
    if (at_ >= text_.size() || text_[at_] != '=') return "true";
    ++at_;
    bool quoted = false;
    std::size_t kept = 0;  // blanks at the end do not count, unless they are quoted
    while (at_ < text_.size() && is_blank(text_[at_]) && text_[at_] != '\n') ++at_;
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      const char c = text_[at_];
      if (!quoted && (c == '#' || c == ';')) {
        skip_line();
        break;
      }
      if (c == '"') {
        quoted = !quoted;
        kept = value.size();
        continue;
      }
      if (c == '\\' && at_ + 1 < text_.size()) {
        const char next = text_[++at_];
        if (next == '\n') continue;
        value += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'b' ? '\b' : next;
        kept = value.size();
        continue;
      }
      value += c;
      if (quoted || !is_blank(c)) kept = value.size();
    }
    value.resize(kept);
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string section_, subsection_;
};

bool climbs(std::string_view path) {
  const std::vector<std::string_view> parts = split(path, '/');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    const std::string lower = to_lower(part);
    return part == ".." || lower == ".git";
  });
}

[[noreturn]] void refuse(const std::string& name, std::string_view what, const std::string& value) {
  throw Error(ErrorCode::invalid_input, "submodule " + in_quotes(to_utf8(name)) +
                                            " of .gitmodules is refused: its " + std::string(what) + " " +
                                            in_quotes(to_utf8(value)) + " is not safe to use");
}

void check_submodule(const Submodule& submodule) {
  const bool bad_name = submodule.name.empty() || climbs(replace_all(submodule.name, "\\", "/")) ||
                        submodule.name.front() == '/' || submodule.name.find('\0') != std::string::npos;
  if (bad_name) refuse(submodule.name, "name", submodule.name);
  const bool bad_path =
      climbs(submodule.path) || submodule.path.front() == '/' || submodule.path.front() == '-';
  if (bad_path) refuse(submodule.name, "path", submodule.path);
  const bool bad_url = submodule.url.starts_with('-') || submodule.url.find('\n') != std::string::npos ||
                       submodule.url.starts_with("ext::") || submodule.url.starts_with("fd::");
  if (bad_url) refuse(submodule.name, "URL", submodule.url);
}

}  // namespace

std::vector<Submodule> parse_gitmodules(std::string_view text) {
  std::map<std::string, Submodule> by_name;
  ConfigText(text).each(
      [&](const std::string& section, const std::string& name, const std::string& key, std::string value) {
        if (section != "submodule") return;
        Submodule& submodule = by_name[name];
        submodule.name = name;
        if (key == "path") {
          while (value.ends_with('/')) value.pop_back();
          submodule.path = std::move(value);
        } else if (key == "url") {
          submodule.url = std::move(value);
        }
      });
  std::vector<Submodule> found;
  for (auto& [name, submodule] : by_name) {
    if (submodule.path.empty()) continue;
    check_submodule(submodule);
    found.push_back(std::move(submodule));
  }
  return found;
}

std::string resolve_submodule_url(std::string_view project, std::string_view url) {
  if (!url.starts_with("./") && !url.starts_with("../")) return std::string(url);
  std::string base(project);
  while (base.ends_with('/')) base.pop_back();
  const std::size_t scheme = base.find("://");
  const std::size_t floor = scheme == std::string::npos ? 0 : base.find('/', scheme + 3);
  char separator = '/';
  while (true) {
    if (url.starts_with("./")) {
      url.remove_prefix(2);
    } else if (url.starts_with("../")) {
      url.remove_prefix(3);
      std::size_t slash = base.rfind('/');
      if (slash == std::string::npos && scheme == std::string::npos) {
        slash = base.rfind(':');  // host:path
        separator = ':';
      }
      if (slash == std::string::npos || (floor != 0 && (floor == std::string::npos || slash < floor))) {
        throw Error(ErrorCode::invalid_input, "the submodule URL " + in_quotes(to_utf8(url)) +
                                                  " climbs above the server of the project");
      }
      base.resize(slash);
    } else {
      break;
    }
  }
  std::string result = base + separator + std::string(url);
  while (result.ends_with('/')) result.pop_back();
  return result;
}

bool is_chosen(std::string_view path, std::span<const std::string> patterns) {
  bool any_takes = false, taken = false;
  for (const std::string& text : patterns) {
    std::string_view pattern = text;
    bool leaves_out = false;
    for (const std::string_view mark : {":(exclude)", ":!", ":^"}) {
      if (!pattern.starts_with(mark)) continue;
      pattern.remove_prefix(mark.size());
      leaves_out = true;
      break;
    }
    while (pattern.ends_with('/')) pattern.remove_suffix(1);
    if (pattern.starts_with("./")) pattern.remove_prefix(2);
    const bool above =
        path.starts_with(pattern) && path.size() > pattern.size() && path[pattern.size()] == '/';
    const bool matches = pattern == "." || path == pattern || above || wildcard_matches(pattern, path, false);
    if (leaves_out && matches) return false;
    any_takes = any_takes || !leaves_out;
    taken = taken || (!leaves_out && matches);
  }
  return taken || !any_takes;
}

}  // namespace runner::git
