// Variables in words. Source: the Dockerfile reference, "Environment replacement".
#include "builds/dockerfile.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using Values = std::map<std::string, std::string>;

constexpr int kDeepest = 20;  // "${A:-${B:-...}}"

bool is_name(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

class Filler {
 public:
  Filler(std::string_view word, const Values& values, char escape)
      : word_(word), values_(values), escape_(escape) {}

  std::string fill(int depth = 0) {
    if (depth > kDeepest) refuse("is nested too deep");
    std::string out;
    char quote = '\0';
    while (at_ < word_.size()) {
      const char c = word_[at_];
      if (depth > 0 && quote == '\0' && c == '}') break;
      ++at_;
      if (quote == '\'') {
        if (c == quote)
          quote = '\0';
        else
          out += c;
      } else if (c == escape_ && at_ < word_.size()) {
        const char next = word_[at_++];
        // In double quotes only what would mean something else is taken for itself.
        if (quote == '"' && next != '"' && next != '$' && next != escape_) out += c;
        out += next;
      } else if (c == '"' || (c == '\'' && quote == '\0')) {
        quote = quote == c ? '\0' : c;
      } else if (c == '$') {
        out += variable(depth);
      } else {
        out += c;
      }
    }
    if (quote != '\0') refuse("has a quote that does not end");
    return out;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::invalid_input, in_quotes(to_utf8(word_)) + " " + why);
  }

  std::string name() {
    const std::size_t begin = at_;
    while (at_ < word_.size() && is_name(word_[at_], at_ == begin)) ++at_;
    return std::string(word_.substr(begin, at_ - begin));
  }

  std::string variable(int depth) {
    if (at_ >= word_.size() || word_[at_] != '{') {
      const std::string known = name();
      return known.empty() ? "$" : value(known);
    }
    ++at_;
    const std::string known = name();
    if (known.empty()) refuse("has no name after '${'");
    std::string filled = braced(known, depth);
    if (at_ >= word_.size() || word_[at_] != '}') refuse("lacks a '}'");
    ++at_;
    return filled;
  }

  // From behind the name up to the closing brace.
  std::string braced(const std::string& known, int depth) {
    if (at_ >= word_.size() || word_[at_] == '}') return value(known);
    const auto found = values_.find(known);
    bool has = found != values_.end();
    if (word_[at_] == ':') {
      ++at_;
      has = has && !found->second.empty();
    }
    const char kind = at_ < word_.size() ? word_[at_++] : '\0';
    if (kind != '-' && kind != '+' && kind != '?')
      refuse("has a modifier that is not known; there are ':-', ':+' and ':?'");
    std::string other = fill(depth + 1);
    if (kind == '+') return has ? other : std::string();
    if (has) return value(known);
    if (kind == '?') refuse("wants a value for '" + known + "'" + (other.empty() ? "" : ": " + other));
    return other;
  }

  std::string value(const std::string& known) const {
    const auto found = values_.find(known);
    return found == values_.end() ? std::string() : found->second;
  }

  std::string_view word_;
  const Values& values_;
  char escape_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> label_instruction(const Values& labels, char escape) {
  std::string text = "\nLABEL";
  const auto quote = [&](const std::string& value) {
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '$' || c == escape) text += escape;
      text += c;
    }
    text += '"';
  };
  for (const auto& [name, value] : labels) {
    if ((name + value).find_first_of("\r\n") != std::string::npos) return std::nullopt;
    text += ' ';
    quote(name);
    text += '=';
    quote(value);
  }
  return text + "\n";
}

std::string fill_in(std::string_view word, const Values& values, char escape) {
  return Filler(word, values, escape).fill();
}

}  // namespace runner::builds
