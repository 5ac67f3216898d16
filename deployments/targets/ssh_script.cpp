#include "deployments/targets/ssh_script.h"

#include "deployments/targets/ssh_script_parts.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr std::string_view kEnd = R"sh(
"verb_$verb"
say done
)sh";

constexpr std::string_view kHex = "0123456789ABCDEF";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

const std::string& ssh_script() {
  static const std::string script = std::string(kCommonOfScript) + std::string(kReleasesOfScript) +
                                    std::string(kServicesOfScript) + std::string(kCommandsOfScript) +
                                    std::string(kEnd);
  return script;
}

std::string as_word(std::string_view text) {
  if (text.empty()) return "%";
  std::string word;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // A dot or a dash at the beginning would mean something to whoever reads it as a file name.
    if (is_plain(c) && (i > 0 || (c != '.' && c != '-'))) {
      word += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    word += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
  }
  return word;
}

std::string from_word(std::string_view word) {
  if (word == "%") return "";
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const std::size_t high =
        word[i] == '%' && i + 2 < word.size() ? kHex.find(word[i + 1]) : std::string::npos;
    const std::size_t low = high == std::string::npos ? std::string::npos : kHex.find(word[i + 2]);
    if (low == std::string::npos) {
      text += word[i];
    } else {
      text += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return text;
}

std::string assignment(std::string_view variable, std::string_view value) {
  return std::string(variable) + "=" + shell_quote(value) + "\n";
}

}  // namespace runner::deployments
