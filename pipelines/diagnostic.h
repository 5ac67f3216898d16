#pragma once
// What is wrong, or odd, in what a user wrote: a value with a place, a stable id and at most one help.
// Never an exception through the pipelines API. Pure; any thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::pipelines {

/// Index into Sources. Zero is "no file": command line, daemon settings.
using FileId = std::uint32_t;

/// A half-open stretch of one file; lines and columns are one-based, columns count characters.
struct SourceRange {
  FileId file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t end_line = 0;
  std::uint32_t end_column = 0;

  bool known() const noexcept { return file != 0; }
};

/// The files a plan was read from, kept for messages. Ids stay valid; files are never removed.
class Sources {
 public:
  /// `name` as the user would write it, from the repository root.
  FileId add(std::string name, std::string text);
  const std::string& name(FileId file) const;
  const std::string& text(FileId file) const;
  /// One line without its end; empty when there is no such line.
  std::string_view line(FileId file, std::uint32_t number) const;

 private:
  struct File {
    std::string name;
    std::string text;
  };
  // Behind pointers: views into a text survive the next add().
  std::vector<std::unique_ptr<File>> files_;
};

enum class Severity : std::uint8_t { error, warning, notice };

struct DiagnosticNote {
  SourceRange where;
  std::string message;
};

/// Message: lower case, no full stop, names in single quotes, says what was found and what is allowed.
struct Diagnostic {
  Severity severity = Severity::error;
  std::string id;  // stable, such as "unknown-need"
  std::string message;
  SourceRange where;
  std::string help;                   // at most one; empty = none
  std::vector<DiagnosticNote> notes;  // second places: "first defined here"
};

/// Collects diagnostics, of a hostile file the first thousands only. Not thread-safe: one planning, one
/// collector.
class Diagnostics {
 public:
  Diagnostic& error(std::string id, SourceRange where, std::string message, std::string help = {});
  Diagnostic& warning(std::string id, SourceRange where, std::string message, std::string help = {});
  Diagnostic& notice(std::string id, SourceRange where, std::string message, std::string help = {});

  bool has_errors() const noexcept { return errors_ > 0; }
  std::size_t error_count() const noexcept { return errors_; }
  /// In the order they were found.
  const std::vector<Diagnostic>& all() const noexcept { return all_; }
  /// Ordered by file (root first), then position; what has no place comes first. Same place and id: once.
  std::vector<Diagnostic> sorted() const;

 private:
  Diagnostic& add(Severity severity, std::string id, SourceRange where, std::string message,
                  std::string help);
  std::vector<Diagnostic> all_;
  Diagnostic dropped_;  // where what is over the limit is written
  std::size_t errors_ = 0;
};

struct RenderOptions {
  bool color = false;
  std::size_t limit = 20;  // of errors; what is more is counted in a last line
};

/// ci.yml:14:11: error: job 'deploy' needs unknown job 'biuld' [unknown-need]
///    14 |   needs: [biuld]
///       |           ^~~~~
///   help: did you mean 'build'?
///
/// Notes follow in the same form ("file:line:col: note: ..."). A diagnostic without a place starts with
/// "runner: error: ". Lines are cut around the caret when they are very long; tabs keep the caret in place;
/// control characters are shown as escapes.
std::string render(const std::vector<Diagnostic>& diagnostics, const Sources& sources,
                   const RenderOptions& options = {});

}  // namespace runner::pipelines
