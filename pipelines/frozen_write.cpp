// freeze(): written straight to text, as a tree of JSON values would take several times the memory of the
// plan.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <type_traits>
#include <unordered_map>

#include "pipelines/frozen_names.h"
#include "pipelines/frozen_plan.h"
#include "pipelines/frozen_text.h"
#include "pipelines/plan_fields.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

void write_number(std::string& out, std::integral auto number) {
  std::array<char, 24> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

template <typename T>
const T& defaults_of() {
  static const T defaults{};
  return defaults;
}

/// Runs of jobs one after the other: `job(i)` is the i-th of `size`, `joins(i)` whether it may continue the
/// run of the one before it, `end` what is written behind a run that is more than a number.
template <typename Job, typename Joins, typename End>
std::string runs(std::size_t size, const Job& job, const Joins& joins, const End& end) {
  std::string out = "[";
  for (std::size_t first = 0, next = 0; first < size; first = next) {
    for (next = first + 1; next < size && job(next) == job(next - 1) + 1 && joins(next);) ++next;
    if (first > 0) out += ',';
    const std::string_view behind = end(first);
    if (next == first + 1 && behind.empty()) {
      write_number(out, job(first));
      continue;
    }
    out += '[';
    write_number(out, job(first));
    out += ',';
    write_number(out, job(next - 1));
    out += behind;
    out += ']';
  }
  return out + "]";
}

/// Equal lists once, in the order in which they are first used.
class ListTable {
 public:
  std::size_t index_of(std::string list) {
    const auto [known, added] = indices_.try_emplace(std::move(list), lists_.size());
    if (added) lists_.push_back(&known->first);
    return known->second;
  }
  const std::vector<const std::string*>& lists() const { return lists_; }

 private:
  std::unordered_map<std::string, std::size_t> indices_;
  std::vector<const std::string*> lists_;  // keys of the map, which stay where they are
};

class Writer {
 public:
  Writer() = default;
  explicit Writer(const Plan& plan);

  template <typename T>
  std::string document(const T& whole) {
    out_ = R"({"format":)";
    write_number(out_, kFrozenFormat);
    members(whole, false);
    table("job_lists", job_lists_);
    table("need_lists", need_lists_);
    out_ += '}';
    return std::move(out_);
  }

 private:
  template <typename T>
  void members(const T& object, bool first) {
    const T& defaults = defaults_of<T>();
    for_each_field<T>([&](const auto& field) {
      if (same(object.*field.member, defaults.*field.member)) return;
      key(field.name, std::exchange(first, false));
      value(object.*field.member);
    });
  }

  void key(std::string_view name, bool first) {
    if (!first) out_ += ',';
    write_quoted(out_, name);
    out_ += ':';
  }

  void table(std::string_view name, const ListTable& lists) {
    if (lists.lists().empty()) return;
    key(name, false);
    each(lists.lists(), [&](const std::string* list) { out_ += *list; });
  }

  template <typename List, typename Write>
  void each(const List& list, const Write& write) {
    out_ += '[';
    bool first = true;
    for (const auto& one : list) {
      if (!std::exchange(first, false)) out_ += ',';
      write(one);
    }
    out_ += ']';
  }

  template <typename T>
  void value(const T& value) {
    if constexpr (Described<T>) {
      out_ += '{';
      members(value, true);
      out_ += '}';
    } else if constexpr (std::is_enum_v<T>) {
      const std::string_view name = frozen_name(value);
      if (name.empty())
        throw Error(ErrorCode::internal, "a plan to freeze holds an enumerator without a name");
      write_quoted(out_, name);
    } else {
      static_assert(std::integral<T> && !std::same_as<T, bool>, "say how this type is written");
      write_number(out_, value);
    }
  }
  void value(bool value) { out_ += value ? "true" : "false"; }
  void value(const std::string& text) {
    if (is_utf8(text)) return write_quoted(out_, text);
    out_ += R"({"bytes":)";
    write_quoted(out_, characters_of(text));
    out_ += '}';
  }
  void value(std::chrono::milliseconds duration) { write_number(out_, duration.count()); }
  void value(TimePoint time) { value(time.time_since_epoch()); }
  template <typename T>
  void value(const std::optional<T>& present) {
    value(*present);  // an absent one is the default
  }
  template <typename T>
  void value(const std::vector<T>& list) {
    each(list, [&](const T& one) { value(one); });
  }
  template <typename T>
  void value(const std::map<std::string, T>& map) {
    each(map, [&](const auto& entry) {
      out_ += '[';
      value(entry.first);
      out_ += ',';
      value(entry.second);
      out_ += ']';
    });
  }
  void value(const std::vector<Need>& needs);
  void value(const JobIndices& jobs);
  void spend(std::size_t edges);

  /// A list that jobs see the starts of, by its address.
  struct SharedList {
    std::size_t longest = 0;
    std::optional<std::size_t> index;  // once it is in the table
  };

  std::string out_;
  std::unordered_map<const std::size_t*, SharedList> shared_;
  ListTable job_lists_, need_lists_;
  std::size_t edges_ = 0;
};

Writer::Writer(const Plan& plan) {
  for (const PlanJob& job : plan.jobs) {
    if (job.artifact_sources.empty()) continue;
    SharedList& list = shared_[job.artifact_sources.begin()];
    list.longest = std::max(list.longest, job.artifact_sources.size());
  }
}

void Writer::spend(std::size_t edges) {
  edges_ += edges;
  if (edges_ > kMaxFrozenEdges)
    throw Error(ErrorCode::invalid_input, "the plan has too many needs to be stored, more than " +
                                              std::to_string(kMaxFrozenEdges) +
                                              ": let its jobs need stages, or fewer parallel jobs");
}

void Writer::value(const std::vector<Need>& needs) {
  static_assert(kHasFields<Need, 2>, "a need in a list has a place for these two only");
  spend(needs.size());
  const auto list = runs(
      needs.size(), [&](std::size_t i) { return needs[i].job; },
      [&](std::size_t i) { return needs[i].artifacts == needs[i - 1].artifacts; },
      [&](std::size_t i) { return std::string_view(needs[i].artifacts ? "" : ",false"); });
  write_number(out_, need_lists_.index_of(list));
}

void Writer::value(const JobIndices& jobs) {
  SharedList& shared = shared_.at(jobs.begin());
  if (!shared.index) {
    spend(shared.longest);
    shared.index = job_lists_.index_of(runs(
        shared.longest, [&](std::size_t i) { return jobs.begin()[i]; }, [](std::size_t) { return true; },
        [](std::size_t) { return std::string_view(); }));
  }
  out_ += '[';
  write_number(out_, *shared.index);
  out_ += ',';
  write_number(out_, jobs.size());
  out_ += ']';
}

}  // namespace

std::string freeze(const Plan& plan) {
  return Writer(plan).document(plan);
}

std::string freeze(const PipelineFacts& facts) {
  return Writer().document(facts);
}

}  // namespace runner::pipelines
