#pragma once
// Checks and questions about the raw text of a YAML file, before and beside the parser. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipelines/diagnostic.h"

namespace runner::pipelines {

/// Reports what no YAML text may hold: bytes that are no UTF-8, control characters. False when something was
/// reported.
bool check_yaml_text(FileId file, std::string_view text, Diagnostics& diagnostics);

/// What the parser says about a syntax error; lines and columns are one-based, zero for "no such place".
struct YamlProblem {
  std::string_view problem;
  std::string_view context;
  std::uint32_t line = 0, column = 0;
  std::uint32_t context_line = 0, context_column = 0;
};

/// Reports a syntax error in words a user can act on.
void report_yaml_problem(FileId file, std::string_view text, const YamlProblem& problem,
                         Diagnostics& diagnostics);

/// One line without its end. Lines end where YAML says.
std::string_view yaml_line(std::string_view text, std::uint32_t number);
/// The same, and all that follows.
std::string_view yaml_text_from(std::string_view text, std::uint32_t line);

/// A range of one character.
SourceRange at_character(FileId file, std::uint32_t line, std::uint32_t column);

/// Reports a no-break space at or after a place, where it was taken for text.
void report_no_break_space(FileId file, std::string_view text, std::uint32_t line, Diagnostics& diagnostics);

inline constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

}  // namespace runner::pipelines
