#include "builds/dockerfile_lines.h"

#include <algorithm>
#include <optional>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/// The file, line by line.
class Reader {
 public:
  Reader(std::string_view file, std::string_view name) : file_(file), name_(name) {
    if (file_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  DockerfileText read() {
    read_directives();
    while (next()) {
      if (is_nothing()) continue;
      DockerfileLine whole;
      whole.number = number_;
      take(whole);
      skip_heredocs(whole);
      text_.lines.push_back(std::move(whole));
    }
    return std::move(text_);
  }

 private:
  bool next() {
    if (at_ >= file_.size()) return false;
    const std::size_t end = std::min(file_.find('\n', at_), file_.size());
    begin_ = at_;
    line_ = file_.substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    return true;
  }

  bool is_nothing() const {
    const std::string_view text = trim(line_);
    return text.empty() || text.front() == '#';
  }

  // They end at the first line that is none, be it a comment.
  void read_directives() {
    for (;;) {
      const std::size_t back_at = at_, back_number = number_;
      if (next() && read_directive(trim(line_))) continue;
      at_ = back_at;
      number_ = back_number;
      return;
    }
  }

  bool read_directive(std::string_view line) {
    if (!line.starts_with('#')) return false;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string key = to_lower(trim(line.substr(1, equals - 1)));
    const std::string_view value = trim(line.substr(equals + 1));
    if (key == "syntax") {
      text_.syntax = value;
    } else if (key == "escape") {
      if (value != "\\" && value != "`")
        throw_at(name_, number_,
                 "the directive 'escape' takes '\\' or '`', not " + in_quotes(to_utf8(value)));
      text_.escape = value.front();
    } else {
      return key == "check";
    }
    return true;
  }

  void take(DockerfileLine& whole) {
    for (;;) {
      std::size_t end = line_.size();
      while (end > 0 && is_blank(line_[end - 1])) --end;
      const bool goes_on = end > 0 && line_[end - 1] == text_.escape;
      append(whole, goes_on ? end - 1 : end);
      if (!goes_on) return;
      // Comments and empty lines between the parts are none of it.
      do
        if (!next()) return;
      while (is_nothing());
    }
  }

  void append(DockerfileLine& whole, std::size_t size) const {
    for (std::size_t i = 0; i < size; ++i) {
      whole.text += line_[i];
      whole.places.push_back(begin_ + i);
    }
  }

  struct Heredoc {
    std::string end;
    bool without_tabs = false;
  };

  // [digits]<<[-]WORD, as the parser of BuildKit finds them.
  static std::optional<Heredoc> heredoc(std::string_view word) {
    const std::size_t begin = std::min(word.find_first_not_of("0123456789"), word.size());
    word.remove_prefix(begin);
    if (!word.starts_with("<<")) return std::nullopt;
    word.remove_prefix(2);
    Heredoc found;
    found.without_tabs = word.starts_with('-');
    if (found.without_tabs) word.remove_prefix(1);
    if (word.find('<') != std::string_view::npos) return std::nullopt;
    for (const char c : word)
      if (c != '"' && c != '\'') found.end += c;
    if (found.end.empty()) return std::nullopt;
    return found;
  }

  void skip_heredocs(const DockerfileLine& whole) {
    const auto words = words_of(whole, text_.escape);
    if (words.empty()) return;
    const auto text = [&](const DockerfileWord& word) {
      return std::string_view(whole.text).substr(word.begin, word.end - word.begin);
    };
    std::string instruction = to_lower(text(words[0]));
    if (instruction == "onbuild" && words.size() > 1) instruction = to_lower(text(words[1]));
    if (instruction != "run" && instruction != "copy" && instruction != "add") return;
    for (const DockerfileWord& word : words) {
      const auto found = heredoc(text(word));
      if (found) skip_to(*found, whole.number);
    }
  }

  void skip_to(const Heredoc& heredoc, std::size_t from) {
    while (next()) {
      std::string_view line = line_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      while (heredoc.without_tabs && line.starts_with('\t')) line.remove_prefix(1);
      if (line == heredoc.end) return;
    }
    throw_at(name_, from, "the text that begins with '<<" + to_utf8(heredoc.end) + "' never ends");
  }

  std::string_view file_, name_, line_;
  std::size_t at_ = 0, begin_ = 0, number_ = 0;
  DockerfileText text_;
};

}  // namespace

void throw_at(std::string_view name, std::size_t line, std::string_view what) {
  throw Error(ErrorCode::invalid_input,
              std::string(name) + ":" + std::to_string(line) + ": " + std::string(what));
}

DockerfileText read_dockerfile_lines(std::string_view file, std::string_view name) {
  return Reader(file, name).read();
}

std::vector<DockerfileWord> words_of(const DockerfileLine& line, char escape) {
  std::vector<DockerfileWord> words;
  const std::string& text = line.text;
  for (std::size_t at = 0; at < text.size();) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    char quote = '\0';
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (c == escape && quote != '\'' && at + 1 < text.size()) {
        ++at;
      } else if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (is_blank(c)) {
        break;
      }
    }
    words.push_back({begin, at});
  }
  return words;
}

}  // namespace runner::builds
