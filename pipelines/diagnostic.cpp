#include "pipelines/diagnostic.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace runner::pipelines {
namespace {
constexpr std::size_t kMaxKept = 5000;
}

FileId Sources::add(std::string name, std::string text) {
  files_.push_back(std::make_unique<File>(File{std::move(name), std::move(text)}));
  return static_cast<FileId>(files_.size());
}

const std::string& Sources::name(FileId file) const {
  return files_.at(file - 1U)->name;
}

const std::string& Sources::text(FileId file) const {
  return files_.at(file - 1U)->text;
}

std::string_view Sources::line(FileId file, std::uint32_t number) const {
  std::string_view rest = text(file);
  for (std::uint32_t at = 1; at < number; ++at) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  return rest;
}

Diagnostic& Diagnostics::error(std::string id, SourceRange where, std::string message, std::string help) {
  ++errors_;
  return add(Severity::error, std::move(id), where, std::move(message), std::move(help));
}

Diagnostic& Diagnostics::warning(std::string id, SourceRange where, std::string message, std::string help) {
  return add(Severity::warning, std::move(id), where, std::move(message), std::move(help));
}

Diagnostic& Diagnostics::notice(std::string id, SourceRange where, std::string message, std::string help) {
  return add(Severity::notice, std::move(id), where, std::move(message), std::move(help));
}

Diagnostic& Diagnostics::add(Severity severity, std::string id, SourceRange where, std::string message,
                             std::string help) {
  // A refused file stays refused: its first error is kept whatever warnings came before.
  const bool keep = all_.size() < kMaxKept || (severity == Severity::error && errors_ == 1);
  if (!keep) dropped_ = {};
  Diagnostic& added = keep ? all_.emplace_back() : dropped_;
  added.severity = severity;
  added.id = std::move(id);
  added.where = where;
  added.message = std::move(message);
  added.help = std::move(help);
  return added;
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  const auto place = [](const Diagnostic& one) {
    return std::make_tuple(one.where.file, one.where.line, one.where.column);
  };
  std::vector<const Diagnostic*> order;
  order.reserve(all_.size());
  for (const Diagnostic& one : all_) order.push_back(&one);
  std::stable_sort(order.begin(), order.end(),
                   [&](const Diagnostic* a, const Diagnostic* b) { return place(*a) < place(*b); });

  std::vector<Diagnostic> result;
  result.reserve(order.size());
  std::size_t same_place = 0;  // first of `result` at the place of the current one
  for (const Diagnostic* one : order) {
    if (same_place < result.size() && place(result[same_place]) != place(*one)) same_place = result.size();
    const bool repeated = std::any_of(
        result.begin() + static_cast<std::ptrdiff_t>(same_place), result.end(), [&](const Diagnostic& seen) {
          // Without a place only equal texts are the same thing.
          return seen.id == one->id && (one->where.known() || seen.message == one->message);
        });
    if (!repeated) result.push_back(*one);
  }
  return result;
}

}  // namespace runner::pipelines
