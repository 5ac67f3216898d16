#include "runner/engine/sources.h"

#include <algorithm>
#include <array>

#include "runner/base/text.h"

namespace runner::engine {
namespace {

class Reader {
 public:
  Reader(const std::map<std::string, std::string>& values, std::vector<std::string>& warnings)
      : values_(values), warnings_(warnings) {}

  std::string text(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : std::string(trim(found->second));
  }

  bool flag(const std::string& name, bool usual) {
    static constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
    static constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
    const std::string value = text(name);
    if (value.empty()) return usual;
    if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) return true;
    if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) return false;
    warnings_.push_back(name + " should be true or false, not " + in_quotes(value) + "; it is taken as " +
                        (usual ? "true" : "false"));
    return usual;
  }

  std::optional<std::size_t> depth(const std::string& name, const std::string& usual) {
    const std::string value = text(name);
    if (value.empty()) return std::nullopt;
    const auto number = parse_integer(value);
    if (number && *number >= 0) return static_cast<std::size_t>(*number);
    warnings_.push_back(name + " should be a number of commits, not " + in_quotes(value) +
                        "; it is taken as " + usual);
    return std::nullopt;
  }

 private:
  const std::map<std::string, std::string>& values_;
  std::vector<std::string>& warnings_;
};

}  // namespace

SourceKnobs source_knobs(const std::map<std::string, std::string>& values,
                         std::vector<std::string>& warnings) {
  Reader read(values, warnings);
  SourceKnobs knobs;
  knobs.depth = read.depth("GIT_DEPTH", std::to_string(knobs.depth)).value_or(knobs.depth);
  knobs.checkout = read.flag("GIT_CHECKOUT", true);
  if (const std::string strategy = read.text("GIT_SUBMODULE_STRATEGY"); !strategy.empty())
    knobs.submodules = strategy;
  const std::string paths = read.text("GIT_SUBMODULE_PATHS");
  for (const std::string_view path : split_words(paths)) knobs.submodule_paths.emplace_back(path);
  knobs.submodule_depth = read.depth("GIT_SUBMODULE_DEPTH", "GIT_DEPTH");
  knobs.lfs = !read.flag("GIT_LFS_SKIP_SMUDGE", false);
  return knobs;
}

}  // namespace runner::engine
