// `runner cache explain`: the keys of a pipeline's caches as they are now, and what a job would find.

#include <algorithm>
#include <set>

#include "cache/caches.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/cache_commands.h"
#include "runner/cli/commands.h"
#include "runner/cli/environment.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/project.h"
#include "runner/cli/selection.h"
#include "runner/cli/table.h"
#include "runner/engine/planned_caches.h"

extern "C" char** environ;

namespace runner::cli {
namespace {

using cache::CacheMiss;
using cache::FoundCache;
using engine::PlannedCache;

std::string_view reason_id(cache::Miss reason) {
  switch (reason) {
    case cache::Miss::never_saved:
      return "never_saved";
    case cache::Miss::key_changed:
      return "key_changed";
    case cache::Miss::evicted:
      return "evicted";
    case cache::Miss::damaged:
      break;
  }
  return "damaged";
}

std::string miss_text(const CacheMiss& miss) {
  switch (miss.reason) {
    case cache::Miss::never_saved:
      return "it was never saved";
    case cache::Miss::key_changed:
      return "the key is new: " + (miss.detail.empty() ? "its text changed" : miss.detail);
    case cache::Miss::evicted:
      return miss.detail.empty() ? "it was removed" : "it was " + miss.detail;
    case cache::Miss::damaged:
      break;
  }
  return "it is damaged: " + miss.detail;
}

/// One job's caches after another, as text or as JSON.
class Explainer {
 public:
  explicit Explainer(const CacheDesk& desk) : desk_(desk), caches_(desk.store), json_(json_output()) {}

  void begin() {
    if (desk_.options.common.json) json_.begin_array();
  }
  void add(const std::string& job, const PlannedCache& planned) {
    FoundCache found;
    if (!planned.keys.lookup.empty() && planned.policy != "push") {
      found = caches_.peek(desk_.scope, planned.keys.lookup, planned.keys.facts);
    }
    if (desk_.options.common.json) {
      write(job, planned, found);
    } else {
      tell(job, planned, found);
    }
  }
  void end() {
    if (!desk_.options.common.json) return;
    json_.end_array().flush();
    print("\n");
  }

 private:
  void tell(const std::string& job, const PlannedCache& planned, const FoundCache& found) {
    if (job != last_job_) {
      print((last_job_.empty() ? "" : "\n") + paint(desk_.screen, Tone::bold, printable(job)) + "\n");
      last_job_ = job;
    }
    std::vector<std::pair<std::string, std::string>> facts;
    facts.emplace_back("  cache", planned.keys.key.empty() ? "(no key)" : planned.keys.key);
    facts.emplace_back("  made from", inputs_text(planned.keys.facts));
    if (planned.policy != "pull-push") facts.emplace_back("  policy", planned.policy);
    for (const std::string& notice : planned.keys.notices) facts.emplace_back("  note", notice);
    if (planned.policy == "push") {
      facts.emplace_back("  found", "not looked for: its policy is push");
    } else {
      add_findings(planned, found, facts);
    }
    print(facts_text(desk_.screen, facts));
  }

  void add_findings(const PlannedCache& planned, const FoundCache& found,
                    std::vector<std::pair<std::string, std::string>>& facts) const {
    for (std::size_t i = 0; i < planned.keys.lookup.size(); ++i) {
      const std::string& key = planned.keys.lookup[i];
      const std::string name = i == 0 ? "" : in_quotes(key) + ": ";
      const std::string label = i == 0 ? "  found" : "  fallback";
      if (i < found.missed.size()) {
        facts.emplace_back(label, name + "no, " + miss_text(found.missed[i]));
      } else if (found.hit && i == found.missed.size()) {
        const cache::Entry& hit = *found.hit;
        facts.emplace_back(label, name + "yes, saved " + ago(hit.saved_at, desk_.clock) +
                                      (hit.facts.origin.empty() ? "" : " by " + hit.facts.origin) + ": " +
                                      count_of(hit.files, "file") + ", " + format_bytes(hit.bytes));
      } else {
        facts.emplace_back(label, name + "not needed");
      }
    }
  }

  void write(const std::string& job, const PlannedCache& planned, const FoundCache& found) {
    json_.begin_object().member("job", job).member("key", planned.keys.key);
    json_.member("policy", planned.policy).member("lookup", planned.keys.lookup);
    json_.key("inputs").begin_array();
    for (const auto& [name, value] : planned.keys.facts.inputs) {
      json_.begin_object().member("name", name).member("value", value).end_object();
    }
    json_.end_array().member("notices", planned.keys.notices).key("missed").begin_array();
    for (const CacheMiss& miss : found.missed) {
      json_.begin_object().member("key", miss.key).key("reason").value(reason_id(miss.reason));
      json_.member("detail", miss.detail).end_object();
    }
    json_.end_array().key("hit");
    if (found.hit) {
      json_.begin_object().member("key", found.hit->name.key);
      json_.member("saved_at", format_iso8601(found.hit->saved_at)).member("files", found.hit->files);
      json_.member("bytes", found.hit->bytes).member("origin", found.hit->facts.origin).end_object();
    } else {
      json_.null();
    }
    json_.end_object();
  }

  const CacheDesk& desk_;
  cache::Caches caches_;
  JsonWriter json_;
  std::string last_job_;
};

int explain(const CacheDesk& desk, const engine::PipelineRequest& request,
            const std::vector<std::size_t>& jobs) {
  Explainer explainer(desk);
  explainer.begin();
  bool any = false;
  for (const std::size_t job : jobs) {
    const TempDir scratch;
    for (const PlannedCache& planned : engine::planned_caches(request, job, scratch.path())) {
      explainer.add(request.plan.jobs[job].name, planned);
      any = true;
    }
  }
  explainer.end();
  if (!any) print_notice(jobs.size() == 1 ? "the job has no cache" : "none of the jobs has a cache");
  return exit_success;
}

}  // namespace

int explain_caches(const CacheDesk& desk) {
  const ExecOptions& options = desk.options.pipeline;
  Project project = Project::open();
  const auto file = project.find_file(options.file);
  if (!file) {
    print_error(no_file_message(options.file));
    return exit_usage;
  }
  if (!file->notice.empty()) print_notice(file->notice);
  engine::PipelineRequest request;
  request.facts = project.facts(options, file->name, plain_variables(options));
  pipelines::PlanResult result = project.plan(*file, request.facts);
  print_diagnostics(result, desk.options.common.no_color, false);
  if (result.outcome == pipelines::PlanOutcome::invalid) return exit_usage;
  if (result.outcome != pipelines::PlanOutcome::planned) {
    print_notice("nothing would run: " + result.why);
    if (desk.options.common.json) print("[]\n");
    return exit_success;
  }
  const std::vector<pipelines::ExcludedJob>& excluded =
      result.plan->excluded.empty() ? result.excluded : result.plan->excluded;
  Chosen chosen = choose_jobs(*result.plan, excluded, desk.options.names, {});
  if (chosen.problem) {
    print_error(*chosen.problem, chosen.help);
    return exit_usage;
  }
  for (std::size_t i = 0; desk.options.names.empty() && i < result.plan->jobs.size(); ++i) {
    chosen.jobs.push_back(i);
  }
  request.plan = std::move(*result.plan);
  request.checkout = local_checkout(project);
  request.checkout.lowers = {project.root()};
  request.base_environment = base_environment(environ);
  return explain(desk, request, chosen.jobs);
}

}  // namespace runner::cli
