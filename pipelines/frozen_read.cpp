// thaw(): what the text says is believed only after it was checked. Errors name places, never values: these
// are secrets.

#include <algorithm>
#include <chrono>
#include <concepts>
#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "pipelines/frozen_names.h"
#include "pipelines/frozen_plan.h"
#include "pipelines/frozen_text.h"
#include "pipelines/plan_fields.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kOlder =
    "; this runner is older than its database: start the one that wrote it, or a newer one";

struct Run {
  std::size_t first = 0, last = 0;
  bool artifacts = true;
};

struct RunList {
  std::vector<Run> runs;
  std::size_t size = 0;
};

class Reader {
 public:
  /// `what` for messages: "plan".
  explicit Reader(std::string_view what) : what_(what) {}

  template <typename T>
  T document(std::string_view text) {
    Json whole = parse(text);
    const Place root;
    check_format(whole, root);
    if constexpr (std::is_same_v<T, Plan>) read_lists(whole, root);
    T out;
    members(whole, out, root);
    return out;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::corrupt, "the frozen " + std::string(what_) + " is damaged: " + why +
                                        "; restore the database from a backup, or create the pipeline anew");
  }

 private:
  Json parse(std::string_view text) const;
  void check_format(Json& whole, const Place& root) const;
  void read_lists(Json& whole, const Place& root);
  RunList read_runs(const Json& in, bool needs, const Place& at) const;

  [[noreturn]] void refuse(const Place& at, const std::string& why) const {
    const std::string place = at.text();
    refuse((place.empty() ? "the whole" : place) + " " + why);
  }
  [[noreturn]] void refuse_unknown(const Place& at, std::string_view key) const;

  template <typename Act>
  void each(Json& in, const Place& at, const Act& act) const {
    if (!in.is_array()) refuse(at, "is no list");
    for (std::size_t i = 0; i < in.size(); ++i) act(in[i], Place{&at, {}, i});
  }

  template <typename T>
  void members(Json& in, T& out, const Place& at) {
    if (!in.is_object()) refuse(at, "is no mapping");
    std::size_t known = 0;
    for_each_field<T>([&](const auto& field) {
      const auto found = in.find(field.name);
      if (found == in.end()) return;
      ++known;
      value(*found, out.*field.member, Place{&at, field.name});
    });
    if (known == in.size()) return;
    for (auto entry = in.begin(); entry != in.end(); ++entry) {
      bool is_field = false;
      for_each_field<T>([&](const auto& field) { is_field = is_field || field.name == entry.key(); });
      if (!is_field) refuse_unknown(at, entry.key());
    }
  }

  template <std::integral T>
  T number(const Json& in, const Place& at) const {
    if (!in.is_number_integer()) refuse(at, "is no whole number");
    const bool fits = in.is_number_unsigned() ? std::in_range<T>(in.get<std::uint64_t>())
                                              : std::in_range<T>(in.get<std::int64_t>());
    if (!fits) refuse(at, "is out of range");
    return in.get<T>();
  }

  template <typename T>
  void value(Json& in, T& out, const Place& at) {
    if constexpr (Described<T>) {
      out = T{};  // what a struct leaves out is its own default, whatever the one around it had set
      members(in, out, at);
    } else if constexpr (std::is_enum_v<T>) {
      if (!in.is_string()) refuse(at, "is no text");
      const auto known = from_frozen_name<T>(in.get_ref<const std::string&>());
      if (!known)
        throw Error(ErrorCode::corrupt, "the frozen " + std::string(what_) + " has a name at " + at.text() +
                                            " that is not known here, or is damaged" + std::string(kOlder));
      out = *known;
    } else {
      out = number<T>(in, at);
    }
  }
  void value(Json& in, bool& out, const Place& at) {
    if (!in.is_boolean()) refuse(at, "is neither true nor false");
    out = in.get<bool>();
  }
  void value(Json& in, std::string& out, const Place& at);
  void value(Json& in, std::chrono::milliseconds& out, const Place& at) {
    out = std::chrono::milliseconds(number<std::int64_t>(in, at));
  }
  void value(Json& in, TimePoint& out, const Place& at) {
    out = TimePoint(std::chrono::milliseconds(number<std::int64_t>(in, at)));
  }
  template <typename T>
  void value(Json& in, std::optional<T>& out, const Place& at) {
    value(in, out.emplace(), at);
  }
  template <typename T>
  void value(Json& in, std::vector<T>& out, const Place& at) {
    if (in.is_array()) out.reserve(in.size());
    each(in, at, [&](Json& one, const Place& place) { value(one, out.emplace_back(), place); });
  }
  template <typename T>
  void value(Json& in, std::map<std::string, T>& out, const Place& at) {
    each(in, at, [&](Json& entry, const Place& place) {
      if (!entry.is_array() || entry.size() != 2) refuse(place, "is no key with its value");
      std::string key;
      value(entry[0], key, place);
      const auto [added, is_new] = out.try_emplace(std::move(key));
      if (!is_new) refuse(place, "has the key of another entry");
      value(entry[1], added->second, place);
    });
  }
  void value(Json& in, std::vector<Need>& out, const Place& at);
  void value(Json& in, JobIndices& out, const Place& at);

  /// Before memory is taken for so many entries of lists.
  void spend(std::size_t edges, const Place& at) {
    edges_ += edges;
    if (edges_ > kMaxFrozenEdges) refuse(at, "has more needs than any plan");
  }

  std::string_view what_;
  std::size_t jobs_ = 0;
  std::vector<std::shared_ptr<const std::vector<std::size_t>>> job_lists_;
  std::vector<RunList> need_lists_;
  std::size_t edges_ = 0;
};

Json Reader::parse(std::string_view text) const {
  // nlohmann takes a zero byte for the end of the text.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    refuse("zero byte at byte " + std::to_string(zero + 1) + " of " + std::to_string(text.size()));
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {  // its message quotes the text, which is secret
    refuse("no JSON at byte " + std::to_string(error.byte) + " of " + std::to_string(text.size()));
  } catch (const Json::exception&) {  // a number like 1e999
    refuse("a number in it is out of range");
  }
}

void Reader::check_format(Json& whole, const Place& root) const {
  if (!whole.is_object()) refuse(root, "is no mapping");
  const auto format = whole.find("format");
  if (format == whole.end()) refuse(root, "has no 'format'");
  const auto version = number<std::int64_t>(*format, Place{&root, "format"});
  if (version > kFrozenFormat)
    throw Error(ErrorCode::corrupt, "the frozen " + std::string(what_) + " is of format " +
                                        std::to_string(version) + ", and formats up to " +
                                        std::to_string(kFrozenFormat) + " are known" + std::string(kOlder));
  if (version < 1) refuse("there is no format " + std::to_string(version));
  whole.erase(format);
}

void Reader::refuse_unknown(const Place& at, std::string_view key) const {
  const std::string place = at.text();
  throw Error(ErrorCode::corrupt, "the frozen " + std::string(what_) + " has the unknown key " +
                                      (looks_like_key(key) ? in_quotes(key) : "(not shown)") +
                                      (place.empty() ? "" : " in " + place) + ", or is damaged" +
                                      std::string(kOlder));
}

void Reader::read_lists(Json& whole, const Place& root) {
  if (const auto jobs = whole.find("jobs"); jobs != whole.end() && jobs->is_array()) jobs_ = jobs->size();
  if (const auto lists = whole.find("job_lists"); lists != whole.end()) {
    each(*lists, Place{&root, "job_lists"}, [&](const Json& one, const Place& at) {
      const RunList list = read_runs(one, false, at);
      spend(list.size, at);
      std::vector<std::size_t> jobs;
      jobs.reserve(list.size);
      for (const Run& run : list.runs)
        for (std::size_t job = run.first; job <= run.last; ++job) jobs.push_back(job);
      job_lists_.push_back(std::make_shared<const std::vector<std::size_t>>(std::move(jobs)));
    });
    whole.erase(lists);
  }
  if (const auto lists = whole.find("need_lists"); lists != whole.end()) {
    each(*lists, Place{&root, "need_lists"},
         [&](const Json& one, const Place& at) { need_lists_.push_back(read_runs(one, true, at)); });
    whole.erase(lists);
  }
}

RunList Reader::read_runs(const Json& in, bool needs, const Place& at) const {
  if (!in.is_array()) refuse(at, "is no list");
  RunList list;
  list.runs.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Json& one = in[i];
    const Place place{&at, {}, i};
    Run run;
    if (one.is_array()) {
      if (one.size() != 2 && !(needs && one.size() == 3)) refuse(place, "is no run of jobs");
      run.first = number<std::size_t>(one[0], place);
      run.last = number<std::size_t>(one[1], place);
      if (one.size() == 3 && !one[2].is_boolean()) refuse(place, "is no run of jobs");
      run.artifacts = one.size() < 3 || one[2].get<bool>();
    } else {
      run.first = run.last = number<std::size_t>(one, place);
    }
    if (run.first > run.last || run.last >= jobs_)
      refuse(place, "names job " + std::to_string(run.last) + " of " + std::to_string(jobs_));
    list.size += run.last - run.first + 1;
    list.runs.push_back(run);
  }
  return list;
}

void Reader::value(Json& in, std::string& out, const Place& at) {
  if (in.is_string()) {
    out = std::move(in.get_ref<std::string&>());
    return;
  }
  const auto bytes = in.is_object() && in.size() == 1 ? in.find("bytes") : in.end();
  if (!in.is_object() || bytes == in.end() || !bytes->is_string()) refuse(at, "is no text");
  auto text = bytes_of(bytes->get_ref<const std::string&>());
  if (!text) refuse(at, "has characters that are no bytes");
  out = std::move(*text);
}

void Reader::value(Json& in, std::vector<Need>& out, const Place& at) {
  const auto index = number<std::size_t>(in, at);
  if (index >= need_lists_.size())
    refuse(at, "names list " + std::to_string(index) + " of " + std::to_string(need_lists_.size()));
  const RunList& list = need_lists_[index];
  spend(list.size, at);
  out.reserve(list.size);
  for (const Run& run : list.runs)
    for (std::size_t job = run.first; job <= run.last; ++job) out.push_back({job, run.artifacts});
}

void Reader::value(Json& in, JobIndices& out, const Place& at) {
  if (!in.is_array() || in.size() != 2) refuse(at, "is no start of a list");
  const auto index = number<std::size_t>(in[0], at);
  const auto size = number<std::size_t>(in[1], at);
  if (index >= job_lists_.size() || size > job_lists_[index]->size())
    refuse(at,
           "names " + std::to_string(size) + " jobs of list " + std::to_string(index) + ", which is shorter");
  out = JobIndices(job_lists_[index], size);
}

}  // namespace

Plan thaw(std::string_view text) {
  Reader reader("plan");
  Plan plan = reader.document<Plan>(text);
  for (std::size_t i = 0; i < plan.jobs.size(); ++i)
    if (plan.jobs[i].stage_index >= plan.stages.size())
      reader.refuse("jobs[" + std::to_string(i) + "].stage_index names stage " +
                    std::to_string(plan.jobs[i].stage_index) + " of " + std::to_string(plan.stages.size()));
  return plan;
}

PipelineFacts thaw_facts(std::string_view text) {
  return Reader("facts").document<PipelineFacts>(text);
}

}  // namespace runner::pipelines
