// `inputs` of a job: their definitions, checked, and the texts that stand for `${{ job.inputs.NAME }}`.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/input_text.h"
#include "pipelines/job_model.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxInputs = 50;
constexpr std::size_t kMaxOptions = 50;
constexpr std::size_t kMaxDescription = 1024;
constexpr std::array<std::string_view, 4> kTypes = {"string", "number", "boolean", "array"};

bool has_type(const Node& value, std::string_view type) {
  if (type == "number") return value.kind() == NodeKind::integer || value.kind() == NodeKind::real;
  if (type == "boolean") return value.kind() == NodeKind::boolean;
  if (type == "array") return value.is_list();
  return value.is_string();
}

bool is_listed(const Node& value, const Node& options) {
  if (value.is_list())
    return std::all_of(value.items().begin(), value.items().end(),
                       [&](const Node* item) { return is_listed(*item, options); });
  return std::any_of(options.items().begin(), options.items().end(), [&](const Node* option) {
    return option->is_scalar() && value.is_scalar() && option->kind() == value.kind() &&
           option->text() == value.text();
  });
}

/// One definition while it is read.
class JobInput {
 public:
  JobInput(Shapes& in, std::string path, const MapEntry& entry)
      : in_(in), path_(std::move(path)), entry_(entry) {}

  /// The default as text; nullopt when something was reported.
  std::optional<std::string> read() {
    const Node& map = *entry_.value;
    if (!in_.check_keys(path_, kInputKeys, map)) return std::nullopt;
    if (const Node* type = in_.get(kInputKeys, map, "type")) {
      const auto known = in_.one_of(path_ + ":type", *type, kTypes);
      if (!known) return std::nullopt;
      type_ = *known;
    }
    if (const Node* text = in_.get(kInputKeys, map, "description");
        text != nullptr && text->text().size() > kMaxDescription)
      in_.error("too-long", text->range(), path_ + ":description has more than 1024 characters");
    const Node* value = map.find("default");
    if (value == nullptr) {
      in_.error("missing-default", entry_.key_range, path_ + " has no default",
                "a job's inputs are optional: give the value that is used when nobody gives one");
      return std::nullopt;
    }
    if (!check_options(map, *value) || !check_regex(map, *value) || !check_type(*value)) return std::nullopt;
    return value->is_list() ? node_to_json(*value) : std::string(value->text());
  }

 private:
  bool check_type(const Node& value) {
    if (has_type(value, type_)) return true;
    in_.wrong_type(path_ + ":default", value, type_ == "array" ? "an array" : "a " + type_,
                   type_ == "string" && value.is_scalar() && !value.is_null()
                       ? "put it in quotes, or set its 'type'"
                       : "");
    return false;
  }

  bool check_options(const Node& map, const Node& value) {
    const Node* options = in_.get(kInputKeys, map, "options");
    if (options == nullptr) return true;
    if (type_ == "boolean") {
      in_.error("bad-value", options->range(), path_ + ":options cannot be used with a boolean");
      return false;
    }
    if (options->items().size() > kMaxOptions) {
      in_.error("bad-value", options->range(), path_ + ":options: at most 50 are allowed");
      return false;
    }
    if (!has_type(value, type_) || is_listed(value, *options)) return true;
    in_.error("bad-value", value.range(), path_ + ":default must be one of options");
    return false;
  }

  bool check_regex(const Node& map, const Node& value) {
    const Node* regex = in_.get(kInputKeys, map, "regex");
    if (regex == nullptr) return true;
    if (type_ != "string") {
      in_.error("bad-value", regex->range(), path_ + ":regex can be used with strings only");
      return false;
    }
    std::string why;
    const auto compiled = Regex::compile(regex->text(), {}, why);
    if (!compiled) {
      in_.error("bad-pattern", regex->range(), path_ + ":regex is invalid: " + why);
      return false;
    }
    if (!value.is_string() || compiled->found_in(value.text())) return true;
    in_.error("bad-value", value.range(),
              path_ + ":default does not match '" + std::string(regex->text()) + "'");
    return false;
  }

  Shapes& in_;
  std::string path_;
  const MapEntry& entry_;
  std::string type_ = "string";
};

}  // namespace

JobInputs read_job_inputs(Shapes& in, const Node& job) {
  JobInputs values;
  const Node* inputs = job.find("inputs");
  if (inputs == nullptr || !inputs->is_map()) return values;
  if (inputs->entries().size() > kMaxInputs)
    in.error("too-many-inputs", inputs->range(), "inputs: at most 50 are allowed");
  for (const MapEntry& entry : inputs->entries()) {
    std::string path = "inputs:" + std::string(entry.key);
    if (!entry.value->is_map()) {
      in.wrong_type(path, *entry.value, "a mapping with default");
      continue;
    }
    // A name with a mistake in its definition is known all the same.
    values.emplace(entry.key, JobInput(in, std::move(path), entry).read().value_or(""));
  }
  return values;
}

}  // namespace runner::pipelines
