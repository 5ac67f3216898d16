#include <fmt/core.h>

#include "pipelines/yaml_text.h"

namespace runner::pipelines {
namespace {

struct Explanation {
  std::string_view id;
  std::string message;
  std::string help;
  bool at_context = false;     // the place is where the construct starts
  std::string_view note = {};  // about the place where the construct starts
};

/// A character of a line by column, "" behind its end.
std::string_view character_at(std::string_view line, std::uint32_t column) {
  std::uint32_t at = 1;
  for (std::size_t i = 0; i < line.size();) {
    std::size_t end = i + 1;
    while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) ++end;
    if (at++ == column) return line.substr(i, end - i);
    i = end;
  }
  return {};
}

std::string_view without_indentation(std::string_view line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : line.substr(first);
}

bool says(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

const std::string kQuoteHelp = "put the value in quotes";

Explanation cannot_start(std::string_view character) {
  if (character == "\t") return {"tab-indentation", "tab used for indentation", "indent with spaces"};
  return {"yaml-syntax", fmt::format("'{}' cannot start an unquoted value", character), kQuoteHelp};
}

/// `key:value`, where the blank is missing.
bool lacks_blank_after_colon(std::string_view line) {
  const std::string_view content = without_indentation(line);
  const std::size_t colon = content.find(':');
  return colon != std::string_view::npos && colon > 0 && colon + 1 < content.size() &&
         content[colon + 1] != ' ' && content.find(": ") == std::string_view::npos &&
         content.find(' ') > colon;
}

Explanation missing_colon(std::string_view context_line) {
  if (lacks_blank_after_colon(context_line)) {
    return {"yaml-syntax", "a blank is missing after ':'", "write 'key: value'", true};
  }
  return {"yaml-syntax", "expected 'key: value', found no ':'",
          "put ':' after a key; a value that goes on here must be indented more than its key", true};
}

Explanation unexpected_colon(std::string_view line, std::uint32_t column) {
  // A second ": " on one line is a text with a colon; else the line is indented under a finished value.
  const std::size_t first = line.find(": ");
  if (first != std::string_view::npos && first + 1 < column) {
    return {"yaml-syntax", "unexpected ':' inside an unquoted value",
            "put the whole value in quotes when it holds ': '"};
  }
  return {"yaml-syntax", "unexpected key: a mapping cannot start here",
          "check the indentation; keys of one mapping start in the same column"};
}

Explanation wrong_entry(std::string_view character, std::string_view what, std::string_view note) {
  if (character == "\t") return cannot_start(character);
  return {"yaml-indentation", std::string(what), "entries that belong together start in the same column",
          false, note};
}

Explanation bad_name(std::string_view context) {
  const std::string_view sign = says(context, "alias") ? "*" : "&";
  return {"yaml-syntax",
          fmt::format("'{}' must be followed by the name of an anchor (letters, digits, '-' and '_')", sign),
          fmt::format("put the value in quotes when '{}' is meant as text", sign), true};
}

Explanation explain(const YamlProblem& problem, std::string_view line, std::string_view context_line) {
  const std::string_view what = problem.problem;
  const std::string_view where = problem.context;
  const std::string_view character = character_at(line, problem.column);
  if (says(what, "cannot start any token")) return cannot_start(character);
  if (says(what, "found a tab character")) return cannot_start("\t");
  if (says(where, "quoted scalar") && (says(what, "end of stream") || says(what, "document indicator"))) {
    return {"unclosed-quote", "the quote that starts here is never closed",
            "close it; inside single quotes write '' for one quote", true};
  }
  if (says(what, "could not find expected ':'")) return missing_colon(context_line);
  if (says(what, "mapping values are not allowed")) return unexpected_colon(line, problem.column);
  if (says(what, "mapping keys are not allowed")) return {"yaml-syntax", "unexpected '?'", kQuoteHelp};
  if (says(what, "block sequence entries are not allowed")) {
    return {"yaml-syntax", "a list entry cannot start here", "put '- ' on a line of its own below the key"};
  }
  const std::string_view in_brackets = says(line, "$[[")
                                           ? "put texts with '$[[ ... ]]' in quotes inside of [...] and {...}"
                                           : "quote texts that hold ':', '[', '{' or '#'";
  if (says(what, "expected ',' or ']'")) {
    return {"yaml-syntax", "expected ',' or ']' in the list", std::string(in_brackets), false,
            "the list starts here"};
  }
  if (says(what, "expected ',' or '}'")) {
    return {"yaml-syntax", "expected ',' or '}' in the mapping", std::string(in_brackets), false,
            "the mapping starts here"};
  }
  if (says(where, "block mapping") && problem.column > line.find_first_not_of(' ') + 1 && character != "\t") {
    return {"yaml-syntax", "unexpected text after the end of a value",
            "put the whole value in quotes; inside single quotes write '' for one quote"};
  }
  if (says(where, "block mapping"))
    return wrong_entry(character, "expected a key", "the mapping starts here");
  if (says(where, "block collection"))
    return wrong_entry(character, "expected a list entry ('- ')", "the list starts here");
  if (says(where, "anchor") || says(where, "alias")) return bad_name(where);
  if (says(what, "tag handle") || says(where, "tag")) {
    return {"unsupported-tag", "unsupported YAML tag",
            "only !reference is known; quote a text that starts with '!'", true};
  }
  if (says(what, "unknown escape")) {
    return {"yaml-syntax", "unknown escape in a double-quoted text",
            "double the backslash, or use single quotes"};
  }
  if (says(where, "block scalar")) {
    return {"yaml-syntax", "'|' or '>' must be the last thing on its line",
            "start the text on the next line"};
  }
  if (says(what, "document start")) {
    return {"yaml-syntax", "unexpected text after the end of the document",
            "check the indentation of the first lines"};
  }
  if (says(what, "expected node content")) {
    return {"yaml-syntax", fmt::format("unexpected '{}', expected a value", character), kQuoteHelp};
  }
  return {"yaml-syntax", fmt::format("{}{}{}", where, where.empty() ? "" : ": ", what), ""};
}

}  // namespace

void report_yaml_problem(FileId file, std::string_view text, const YamlProblem& problem,
                         Diagnostics& diagnostics) {
  const std::string_view line = yaml_line(text, problem.line);
  const std::string_view context_line =
      problem.context_line == 0 ? line : yaml_line(text, problem.context_line);
  // A no-break space is invisible and the parser takes it for text: it may spoil the line after it.
  const bool quoted = says(problem.context, "quoted");
  for (const std::uint32_t number : {problem.context_line, problem.line - 1, problem.line}) {
    if (number != 0 && !quoted && says(yaml_line(text, number), kNoBreakSpace)) {
      return report_no_break_space(file, text, number, diagnostics);
    }
  }
  const Explanation explanation = explain(problem, line, context_line);
  const SourceRange place = at_character(file, problem.line, problem.column);
  const bool has_context = problem.context_line != 0;
  const SourceRange context = at_character(file, problem.context_line, problem.context_column);
  Diagnostic& error =
      diagnostics.error(std::string(explanation.id), explanation.at_context && has_context ? context : place,
                        explanation.message, explanation.help);
  if (!explanation.note.empty() && has_context)
    error.notes.push_back({context, std::string(explanation.note)});
}

}  // namespace runner::pipelines
