#include "deployments/targets/script_state.h"

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

std::string word_or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}
std::string text_of(std::string_view word) {
  return word == "-" ? "" : std::string(word);
}

}  // namespace

ScriptState read_script_state(const std::filesystem::path& file) {
  ScriptState state;
  const std::string text = read_file(file, 65536).value_or("");
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto words = split_words(line);
    const auto number = words.size() > 1 ? parse_integer(words.back()) : std::nullopt;
    const auto slot = words.size() > 1 ? parse_slot(words[1]) : std::nullopt;
    const bool in_range = number && *number >= 0 && *number <= 100;
    if (words[0] == "slot" && words.size() == 6 && slot && in_range) {
      state.slots[*slot] = {text_of(words[2]), text_of(words[3]), std::string(words[4]),
                            static_cast<unsigned>(*number)};
    } else if (words[0] == "base" && words.size() == 3 && number && *number >= 0) {
      state.base = text_of(words[1]);
      state.base_token = static_cast<std::uint64_t>(*number);
    } else if (words[0] == "candidate" && words.size() == 3 && slot && in_range) {
      state.candidate = slot;
      state.share = static_cast<unsigned>(*number);
    } else if (words[0] == "begun" && words.size() == 2) {
      state.begun = words[1];
    } else if (words[0] == "moving" && words.size() == 1) {
      state.moving = true;
    } else {
      throw Error(ErrorCode::corrupt, in_quotes(file.native()) + " is not what was written there: " +
                                          in_quotes(to_utf8(line)) + "; remove it when no deployment runs");
    }
  }
  return state;
}

void write_script_state(const std::filesystem::path& file, const ScriptState& state) {
  std::string text = "base " + word_or_dash(state.base) + " " + std::to_string(state.base_token) + "\n";
  for (const auto& [slot, held] : state.slots)
    text += "slot " + std::string(to_string(slot)) + " " + word_or_dash(held.release) + " " +
            word_or_dash(held.running) + " " + held.admission + " " + std::to_string(held.weight) + "\n";
  if (state.candidate)
    text +=
        "candidate " + std::string(to_string(*state.candidate)) + " " + std::to_string(state.share) + "\n";
  if (!state.begun.empty()) text += "begun " + state.begun + "\n";
  if (state.moving) text += "moving\n";
  write_file_atomic(file, text, 0600, true);
}

}  // namespace runner::deployments
