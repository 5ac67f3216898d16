#include "pipelines/inputs.h"

#include <fmt/core.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "pipelines/input_text.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxOptions = 50;
constexpr std::size_t kMaxDescription = 1024;
constexpr std::size_t kMaxGivenTexts = 20;
constexpr std::array<std::string_view, 6> kInputKeys = {"type",    "default", "description",
                                                        "options", "regex",   "rules"};
constexpr std::array<std::string_view, 3> kRuleKeys = {"if", "options", "default"};
constexpr std::array<std::string_view, 4> kTypes = {"string", "number", "boolean", "array"};

enum class InputType : std::uint8_t { string, number, boolean, array };

struct Definition {
  std::string_view name;
  SourceRange where;
  InputType type = InputType::string;
  const Node* standard = nullptr;  // default; nullptr when there is none
  const Node* options = nullptr;
  const Node* regex = nullptr;
  const Node* rules = nullptr;
};

bool has_type(const Node& value, InputType type) {
  switch (type) {
    case InputType::string:
      return value.is_string();
    case InputType::number:
      return value.kind() == NodeKind::integer || value.kind() == NodeKind::real;
    case InputType::boolean:
      return value.kind() == NodeKind::boolean;
    case InputType::array:
      return value.is_list() && !value.has_references();
  }
  return false;
}

std::string_view with_article(InputType type) {
  static constexpr std::array<std::string_view, 4> kNames = {"a string", "a number", "a boolean", "an array"};
  return kNames[static_cast<std::size_t>(type)];
}

bool is_listed(const Node& value, const Node& options) {
  if (value.is_list()) {
    return std::all_of(value.items().begin(), value.items().end(),
                       [&](const Node* item) { return is_listed(*item, options); });
  }
  return std::any_of(options.items().begin(), options.items().end(), [&](const Node* option) {
    return option->is_scalar() && value.is_scalar() && option->kind() == value.kind() &&
           option->text() == value.text();
  });
}

std::string listed(const Node& options) {
  std::string out;
  for (const Node* option : options.items())
    out += fmt::format("{}'{}'", out.empty() ? "" : ", ", option->text());
  return out;
}

/// The definitions of one file and the values they get.
class Binder {
 public:
  Binder(const GivenInputs& given, FileId file, Loading& loading)
      : given_(given),
        file_name_(loading.sources.name(file)),
        loading_(loading),
        diagnostics_(loading.diagnostics) {}

  bool define(const Node& inputs);
  bool bind_all(BlockValues& values);

 private:
  bool define_one(const MapEntry& entry);
  bool read_definition(Definition& definition, const Node& node);
  bool check_options(const Definition& definition, const Node& options);
  bool check_unknown();

  const Node* value_of(std::string_view name);
  const Node* bind(const Definition& definition);
  bool apply_rules(Definition& definition);
  bool check_rule(const Definition& definition, const Node& rule);
  const Node* given_value(const Definition& definition, SourceRange& where, bool& fine);
  bool check_value(const Definition& definition, const Node& value, const SourceRange& where,
                   bool is_default);
  bool fail(const SourceRange& where, const std::string& message, std::string help = {});

  const GivenInputs& given_;
  std::string file_name_;
  Loading& loading_;
  Diagnostics& diagnostics_;
  std::vector<Definition> definitions_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  struct Bound {
    bool done = false;
    const Node* value = nullptr;
  };
  std::unordered_map<std::string_view, Bound> bound_;
};

bool Binder::fail(const SourceRange& where, const std::string& message, std::string help) {
  diagnostics_.error("bad-input", where, fmt::format("'{}': {}", file_name_, message), std::move(help));
  return false;
}

bool Binder::define(const Node& inputs) {
  if (inputs.is_null()) return true;
  if (!inputs.is_map())
    return fail(inputs.range(), fmt::format("'inputs' must be a mapping, found {}", describe(inputs.kind())));
  bool fine = true;
  for (const MapEntry& entry : inputs.entries()) fine = define_one(entry) && fine;
  return fine;
}

bool Binder::define_one(const MapEntry& entry) {
  const auto known = by_name_.find(entry.key);
  if (known != by_name_.end()) {
    fail(entry.key_range, fmt::format("duplicate input keys: {}", entry.key));
    return false;
  }
  Definition definition;
  definition.name = entry.key;
  definition.where = entry.key_range;
  const bool fine = entry.value->is_null() || read_definition(definition, *entry.value);
  by_name_.emplace(entry.key, definitions_.size());
  definitions_.push_back(definition);
  return fine;
}

bool Binder::read_definition(Definition& definition, const Node& node) {
  const std::string name = fmt::format("input '{}'", definition.name);
  if (!node.is_map())
    return fail(node.range(), fmt::format("{} must be a mapping, found {}", name, describe(node.kind())));
  bool fine = true;
  for (const MapEntry& entry : node.entries()) {
    const Node& value = *entry.value;
    if (std::find(kInputKeys.begin(), kInputKeys.end(), entry.key) == kInputKeys.end()) {
      report_unknown_key(entry, name, kInputKeys, diagnostics_);
      fine = false;
    } else if (entry.key == "default") {
      definition.standard = &value;
    } else if (value.is_null()) {
      continue;
    } else if (entry.key == "type") {
      const auto type = std::find(kTypes.begin(), kTypes.end(), value.text());
      if (!value.is_string() || type == kTypes.end()) {
        fine = fail(value.range(), fmt::format("{} has unknown type '{}'", name, value.text()),
                    "types are string, number, boolean, array");
      } else {
        definition.type = static_cast<InputType>(type - kTypes.begin());
      }
    } else if (entry.key == "description") {
      if (!value.is_string() || value.text().size() > kMaxDescription) {
        fine = fail(value.range(), fmt::format("description of {} must be a string of at most {} characters",
                                               name, kMaxDescription));
      }
    } else if (entry.key == "options") {
      definition.options = &value;
    } else if (entry.key == "regex") {
      definition.regex = &value;
    } else {
      definition.rules = &value;
      if (!value.is_list()) fine = fail(value.range(), fmt::format("rules of {} must be a list", name));
    }
  }
  if (!fine) return false;
  if (definition.options != nullptr) fine = check_options(definition, *definition.options);
  if (definition.regex != nullptr) {
    const Node& regex = *definition.regex;
    if (definition.type != InputType::string) {
      fine = fail(regex.range(), fmt::format("{}: 'regex' can be used with strings only", name));
    } else if (!regex.is_string() ||
               !re2::RE2(re2::StringPiece(regex.text().data(), regex.text().size()), re2::RE2::Quiet).ok()) {
      fine = fail(regex.range(), fmt::format("{}: '{}' is no valid regular expression", name, regex.text()));
    }
  }
  if (fine && definition.standard != nullptr && !definition.standard->is_null()) {
    fine = check_value(definition, *definition.standard, definition.standard->range(), true);
  }
  return fine;
}

bool Binder::check_options(const Definition& definition, const Node& options) {
  if (definition.type == InputType::boolean) {
    return fail(options.range(),
                fmt::format("input '{}': 'options' cannot be used with a boolean", definition.name));
  }
  if (!options.is_list() || options.items().size() > kMaxOptions) {
    return fail(options.range(), fmt::format("input '{}': 'options' must be a list of at most {} values",
                                             definition.name, kMaxOptions));
  }
  return true;
}

bool Binder::check_value(const Definition& definition, const Node& value, const SourceRange& where,
                         bool is_default) {
  const std::string name = fmt::format("input '{}'", definition.name);
  if (!has_type(value, definition.type)) {
    if (value.has_references())
      return fail(where, fmt::format("{}: !reference cannot be used in a value", name));
    const std::string found = fmt::format("found {}", describe(value.kind()));
    if (is_default)
      return fail(where,
                  fmt::format("default of {} is not {}, {}", name, with_article(definition.type), found));
    const bool quotable = definition.type == InputType::string && value.is_scalar();
    return fail(where, fmt::format("{} expects {}, {}", name, with_article(definition.type), found),
                quotable ? "put the value in quotes" : "");
  }
  const std::string subject = is_default ? "default of " + name : name;
  if (definition.options != nullptr && !is_listed(value, *definition.options)) {
    return fail(where, fmt::format("{} must be one of {}", subject, listed(*definition.options)));
  }
  if (definition.regex != nullptr) {
    const std::string_view pattern = definition.regex->text();
    const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), re2::RE2::Quiet);
    if (!re2::RE2::PartialMatch(re2::StringPiece(value.text().data(), value.text().size()), regex)) {
      return fail(where, fmt::format("{} does not match {}", subject, pattern));
    }
  }
  return true;
}

bool Binder::check_unknown() {
  std::vector<std::string_view> names;
  for (const Definition& definition : definitions_) names.push_back(definition.name);
  bool fine = true;
  const auto check = [&](std::string_view name, const SourceRange& where) {
    if (by_name_.count(name) != 0) return;
    const auto near = nearest(name, names);
    fine = fail(where, fmt::format("unknown input '{}'", name),
                near ? fmt::format("did you mean '{}'?", *near) : "");
  };
  if (given_.values != nullptr) {
    for (const MapEntry& entry : given_.values->entries()) check(entry.key, entry.key_range);
  }
  if (given_.texts != nullptr) {
    if (given_.texts->size() > kMaxGivenTexts) {
      fine = fail({}, fmt::format("too many inputs, at most {} can be given", kMaxGivenTexts));
    }
    for (const auto& [name, text] : *given_.texts) check(name, {});
  }
  return fine;
}

bool Binder::bind_all(BlockValues& values) {
  bool fine = check_unknown();
  for (const Definition& definition : definitions_) {
    const Node* value = value_of(definition.name);
    if (value == nullptr) fine = false;
    values.inputs[definition.name] = value;
  }
  return fine;
}

const Node* Binder::value_of(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  const Definition& definition = definitions_[found->second];
  const auto known = bound_.find(definition.name);
  if (known != bound_.end()) {
    if (!known->second.done)
      fail(definition.where, fmt::format("rules of input '{}' form a cycle", definition.name));
    return known->second.value;
  }
  bound_[definition.name] = {};
  const Node* value = bind(definition);
  bound_[definition.name] = {true, value};
  return value;
}

const Node* Binder::given_value(const Definition& definition, SourceRange& where, bool& fine) {
  if (given_.values != nullptr) {
    const MapEntry* entry = given_.values->find_entry(definition.name);
    if (entry == nullptr || entry->value->is_null()) return nullptr;
    where = entry->value->range();
    return entry->value;
  }
  if (given_.texts == nullptr) return nullptr;
  const auto text = given_.texts->find(std::string(definition.name));
  if (text == given_.texts->end()) return nullptr;
  if (definition.type == InputType::string) return loading_.arena.string(text->second, definition.where);
  const Node* value = node_from_json(text->second, loading_.arena, definition.where);
  if (value == nullptr) {
    fine = fail({}, fmt::format("input '{}' expects {}, '{}' is none", definition.name,
                                with_article(definition.type), text->second));
  }
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Node* Binder::bind(const Definition& declared) {
  Definition definition = declared;
  if (definition.rules != nullptr && !apply_rules(definition)) return nullptr;
  SourceRange where;
  bool fine = true;
  const Node* value = given_value(definition, where, fine);
  if (!fine) return nullptr;
  if (value != nullptr) return check_value(definition, *value, where, false) ? value : nullptr;
  if (definition.standard != nullptr) return definition.standard;
  const SourceRange& place = given_.where.known() ? given_.where : definition.where;
  fail(place, fmt::format("input '{}' has no value and no default", definition.name));
  return nullptr;
}

bool Binder::check_rule(const Definition& definition, const Node& rule) {
  if (!rule.is_map() || rule.entries().empty()) {
    return fail(rule.range(), fmt::format("a rule of input '{}' must be a mapping", definition.name));
  }
  bool fine = true;
  for (const MapEntry& entry : rule.entries()) {
    if (std::find(kRuleKeys.begin(), kRuleKeys.end(), entry.key) == kRuleKeys.end()) {
      report_unknown_key(entry, fmt::format("a rule of input '{}'", definition.name), kRuleKeys,
                         diagnostics_);
      fine = false;
    }
  }
  const Node* condition = rule.find("if");
  if (condition != nullptr && !condition->is_null() && !condition->is_string()) {
    fine =
        fail(condition->range(), fmt::format("'if' must be a string, found {}", describe(condition->kind())));
  }
  const Node* options = rule.find("options");
  if (options != nullptr && !options->is_null()) fine = check_options(definition, *options) && fine;
  return fine;
}

bool Binder::apply_rules(Definition& definition) {
  for (const Node* rule : definition.rules->items()) {
    if (!check_rule(definition, *rule)) return false;
    const Node* condition = rule->find("if");
    if (condition != nullptr && !condition->is_null()) {
      if (!loading_.context.input_condition) continue;
      const auto holds = loading_.context.input_condition(
          *condition, [this](std::string_view name) { return value_of(name); });
      if (!holds) return false;
      if (!*holds) continue;
    }
    const Node* options = rule->find("options");
    if (options != nullptr && !options->is_null()) definition.options = options;
    if (const Node* standard = rule->find("default")) {
      // A null default without options asks for a value.
      const bool must_be_given = standard->is_null() && (options == nullptr || options->is_null());
      definition.standard = must_be_given ? nullptr : standard;
    }
    const Node* chosen = definition.standard;
    return chosen == nullptr || chosen->is_null() || check_value(definition, *chosen, chosen->range(), true);
  }
  return true;
}

}  // namespace

std::optional<BlockValues> bind_inputs(const InputDefinitions& definitions, const GivenInputs& given,
                                       FileId file, Loading& loading) {
  Binder binder(given, file, loading);
  bool fine = true;
  for (const Node* inputs : definitions) fine = binder.define(*inputs) && fine;
  BlockValues values;
  if (!fine || !binder.bind_all(values)) return std::nullopt;
  return values;
}

bool check_no_inputs(const GivenInputs& given, FileId file, Loading& loading) {
  const bool has_values = given.values != nullptr && !given.values->entries().empty();
  const bool has_texts = given.texts != nullptr && !given.texts->empty();
  if (!has_values && !has_texts) return true;
  loading.diagnostics.error("bad-input", has_values ? given.values->range() : SourceRange{},
                            fmt::format("'{}': takes no inputs", loading.sources.name(file)),
                            "declare them in a header: spec, inputs, then '---'");
  return false;
}

}  // namespace runner::pipelines
