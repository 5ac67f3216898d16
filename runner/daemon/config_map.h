#pragma once
// One mapping of a configuration file, whose keys are asked for one by one, so that what nobody asks for is
// reported. Not thread-safe.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"

namespace runner::daemon {

/// Usage: ask for every key there may be, then call finish(). What is wrong is reported where it is; the key
/// counts as absent then.
class ConfigMap {
 public:
  /// `owner` begins the messages: "project 'shop'"; "" is the file as a whole. What is no mapping is reported
  /// and counts as an empty one. Both references outlive it.
  ConfigMap(const pipelines::Node& node, std::string owner, pipelines::Diagnostics& out);

  /// Without asking for it.
  bool has(std::string_view key) const { return node_.is_map() && node_.find(key) != nullptr; }
  /// nullptr when it is not there, or null.
  const pipelines::Node* get(std::string_view key);
  /// Its value; the mapping when it is not there.
  const pipelines::SourceRange& where(std::string_view key) const;
  std::optional<std::string> text(std::string_view key);
  /// Of text that `problem_of` finds something wrong with, that is reported: "may not be empty".
  std::optional<std::string> checked_text(
      std::string_view key, const std::function<std::string(const std::string& text)>& problem_of);
  /// Its text, when it is one of those.
  std::optional<std::string> choice(std::string_view key, const std::vector<std::string>& allowed);
  /// As it is written, of a text or a whole number; `expected` is what messages say it must be.
  std::optional<std::string> written(std::string_view key, std::string_view expected);
  /// Numbers without a unit are seconds. 0 for "never", where `never` says that this may be.
  std::optional<std::chrono::milliseconds> duration(std::string_view key, bool never);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  /// A single text counts as a list of one.
  std::optional<std::vector<std::string>> texts(std::string_view key);
  std::map<std::string, std::string> variables(std::string_view key);
  /// nullptr, and reported, when it is no mapping.
  const pipelines::Node* mapping(std::string_view key, std::string_view expected);
  /// nullptr, and reported, when it is no list.
  const pipelines::Node* list(std::string_view key);

  void complain(const pipelines::SourceRange& where, const std::string& message, std::string help = {});
  /// Complains of what is none of those, with the one that may be meant.
  void complain_choice(std::string_view key, const pipelines::Node& found,
                       const std::vector<std::string>& allowed);
  /// Reports that it is missing; `help` says what to write.
  void require(std::string_view key, std::string help);
  /// Reports keys that were not asked for.
  void finish();

  const std::string& owner() const noexcept { return owner_; }
  pipelines::Diagnostics& out() noexcept { return out_; }

 private:
  std::string place(std::string_view key) const;
  void wrong_type(std::string_view key, const pipelines::Node& found, std::string_view expected);
  std::optional<std::string> scalar(std::string_view key, const pipelines::Node& node);

  const pipelines::Node& node_;
  const std::string owner_;
  pipelines::Diagnostics& out_;
  std::vector<std::string> asked_;
};

}  // namespace runner::daemon
