#include "pipelines/variables.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <utility>

#include "pipelines/variable_scan.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxExpanded = std::size_t{1} << 20;
constexpr std::size_t kMaxDepth = 500;  // of variables that name variables; keeps the stack bounded

constexpr std::array<std::string_view, 15> kSourceNames = {
    "runner", "pipeline", "project",  "group", "instance",   "dotenv",     "user",       "rules",
    "matrix", "job",      "workflow", "root",  "deployment", "predefined", "runner base"};

}  // namespace

std::string_view to_string(VariableSource source) noexcept {
  return kSourceNames[static_cast<std::size_t>(source)];
}

bool is_variable_name(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_name_character);
}

/// Expands values on demand, each once, and remembers which cycle it met.
class Expander {
 public:
  Expander(const VariableSet& variables, Undefined undefined)
      : variables_(variables), undefined_(undefined) {}

  std::string expand(std::string_view text) { return expand_in(text, nullptr); }

  /// The text that a reference to this definition gives.
  const std::string& value_of(const Variable& variable) {
    const auto known = values_.find(&variable);
    if (known != values_.end()) return known->second;
    std::string value;
    if (variable.file && !directory().empty()) {
      value = directory() + "/" + variable.name;
    } else if (variable.raw || variable.value.find_first_of("$%") == std::string::npos) {
      value = variable.value;
    } else {
      stack_.push_back(&variable);
      value = expand_in(variable.value, &variable);
      stack_.pop_back();
      if (cyclic_.count(&variable) != 0) value.clear();
    }
    return values_.emplace(&variable, std::move(value)).first->second;
  }

  const std::optional<std::string>& cycle() const { return cycle_; }

 private:
  const std::string& directory() const { return variables_.file_directory_; }

  std::string expand_in(std::string_view text, const Variable* owner) {
    std::string out;
    const ScanMode mode = undefined_ == Undefined::empty ? ScanMode::job : ScanMode::creation;
    scan_references(text, mode, [&](const ScanPart& part) {
      if (out.size() < kMaxExpanded) append(out, part, owner);
    });
    return out;
  }

  void append(std::string& out, const ScanPart& part, const Variable* owner) {
    if (part.kind == ScanKind::text) {
      out += part.text;
      return;
    }
    const Variable* variable = resolve(part.name, owner);
    if (variable == nullptr) {
      const bool self = owner != nullptr && owner->name == part.name;  // nothing below to refer to
      if ((undefined_ == Undefined::keep && !self) || part.kind == ScanKind::percent) out += part.text;
      return;
    }
    if (variable->file && directory().empty() && undefined_ == Undefined::keep) {
      out += part.text;
      return;
    }
    if (is_open(*variable) || stack_.size() >= kMaxDepth) {
      note_cycle(*variable);
      return;
    }
    const std::string& value = value_of(*variable);
    out.append(value, 0, kMaxExpanded - std::min(kMaxExpanded, out.size()));
  }

  /// The definition that a name means inside `owner`: the winner, or for its own name the next lower one.
  const Variable* resolve(std::string_view name, const Variable* owner) const {
    if (owner == nullptr || owner->name != name) return variables_.find(name);
    const std::vector<const Variable*> all = variables_.definitions(name);
    const auto own = std::find(all.begin(), all.end(), owner);
    return own == all.end() || own + 1 == all.end() ? nullptr : *(own + 1);
  }

  bool is_open(const Variable& variable) const {
    return std::find(stack_.begin(), stack_.end(), &variable) != stack_.end();
  }

  void note_cycle(const Variable& variable) {
    std::set<std::string> names;
    for (auto open = std::find(stack_.begin(), stack_.end(), &variable); open != stack_.end(); ++open) {
      cyclic_.insert(*open);
      names.insert((*open)->name);
    }
    if (cycle_ || names.empty()) return;
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    cycle_ = std::move(text);
  }

  const VariableSet& variables_;
  Undefined undefined_;
  std::unordered_map<const Variable*, std::string> values_;
  std::vector<const Variable*> stack_;
  std::set<const Variable*> cyclic_;
  std::optional<std::string> cycle_;
};

VariableSet::VariableSet(std::vector<Variable> definitions) {
  for (Variable& definition : definitions) add(std::move(definition));
}

VariableSet VariableSet::over(const VariableSet& base) {
  VariableSet set;
  set.base_ = &base;
  set.file_directory_ = base.file_directory_;
  return set;
}

void VariableSet::add(Variable definition) {
  std::vector<Variable>& list = by_name_[definition.name];
  // Before the first of equal or lower rank: within a rank the later definition wins.
  const auto place = std::find_if(list.begin(), list.end(),
                                  [&](const Variable& other) { return other.source >= definition.source; });
  list.insert(place, std::move(definition));
}

const Variable* VariableSet::find(std::string_view name) const {
  const Variable* below = base_ == nullptr ? nullptr : base_->find(name);
  const auto own = by_name_.find(name);
  if (own == by_name_.end()) return below;
  const Variable& first = own->second.front();
  return below != nullptr && below->source < first.source ? below : &first;
}

std::vector<const Variable*> VariableSet::definitions(std::string_view name) const {
  std::vector<const Variable*> all;
  const auto own = by_name_.find(name);
  if (own != by_name_.end())
    for (const Variable& definition : own->second) all.push_back(&definition);
  if (base_ != nullptr) {
    const std::vector<const Variable*> below = base_->definitions(name);
    all.insert(all.end(), below.begin(), below.end());
    std::stable_sort(all.begin(), all.end(),
                     [](const Variable* a, const Variable* b) { return a->source < b->source; });
  }
  return all;
}

std::vector<const Variable*> VariableSet::all() const {
  std::vector<const Variable*> winners;
  if (base_ == nullptr) {
    winners.reserve(by_name_.size());
    for (const auto& [name, list] : by_name_) winners.push_back(&list.front());
    return winners;
  }
  for (const Variable* below : base_->all())
    if (by_name_.find(below->name) == by_name_.end()) winners.push_back(below);
  for (const auto& [name, list] : by_name_) winners.push_back(find(name));
  std::sort(winners.begin(), winners.end(),
            [](const Variable* a, const Variable* b) { return a->name < b->name; });
  return winners;
}

std::string VariableSet::expand(std::string_view text, Undefined undefined) const {
  if (text.find_first_of("$%") == std::string_view::npos) return std::string(text);
  return Expander(*this, undefined).expand(text);
}

std::map<std::string, std::string> VariableSet::expand_all(std::string* cycle) const {
  Expander expander(*this, Undefined::empty);
  std::map<std::string, std::string> values;
  for (const Variable* variable : all())
    values.emplace_hint(values.end(), variable->name, expander.value_of(*variable));
  if (cycle != nullptr) *cycle = expander.cycle().value_or("");
  return values;
}

std::optional<std::string> VariableSet::find_cycle() const {
  Expander expander(*this, Undefined::empty);
  for (const Variable* variable : all()) {
    expander.value_of(*variable);
    if (expander.cycle()) return expander.cycle();
  }
  return std::nullopt;
}

std::optional<std::string> VariableSet::find_cycle(std::span<const std::string_view> from) const {
  Expander expander(*this, Undefined::empty);
  for (std::string_view name : from) {
    const Variable* variable = find(name);
    if (variable != nullptr) expander.value_of(*variable);
    if (expander.cycle()) return expander.cycle();
  }
  return std::nullopt;
}

}  // namespace runner::pipelines
