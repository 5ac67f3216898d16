#include "runner/cli/kept_artifacts.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

// "run 12" of "job 'build' of run 12".
std::string run_of(const cache::Entry& entry) {
  const std::string_view before = " of ";
  const std::size_t at = entry.facts.origin.rfind(before);
  return at == std::string::npos ? "an earlier run" : entry.facts.origin.substr(at + before.size());
}

}  // namespace

std::vector<std::size_t> absent_sources(const pipelines::Plan& plan, const Chosen& chosen) {
  std::set<std::size_t> absent;
  for (const std::size_t job : chosen.jobs) {
    for (const std::size_t source : plan.jobs[job].artifact_sources) {
      const bool runs = std::binary_search(chosen.jobs.begin(), chosen.jobs.end(), source);
      if (!runs && gives_something(plan.jobs[source].artifacts)) absent.insert(source);
    }
  }
  return {absent.begin(), absent.end()};
}

KeptArtifacts find_kept_artifacts(cache::LayerStore& store, const std::string& scope,
                                  const pipelines::Plan& plan, const std::vector<std::size_t>& absent,
                                  TimePoint now) {
  KeptArtifacts kept;
  if (absent.empty()) return kept;
  const bool has_store = std::filesystem::exists(store.root() / "index.db");
  for (const std::size_t source : absent) {
    cache::HeldEntry entry;
    std::string why;
    try {
      const cache::EntryName name{cache::Space::artifact, scope, plan.jobs[source].name};
      if (has_store) entry = store.find(name, &why);
      if (has_store && !entry && why.empty()) {
        if (const auto eviction = store.eviction(name)) why = cache::describe(*eviction, now);
      }
    } catch (const Error& error) {
      why = error.what();
    }
    if (entry) {
      kept.found.emplace(source, std::move(entry));
    } else if (!why.empty()) {
      kept.lost.emplace(source, std::move(why));
    } else {
      kept.missing.push_back(source);
    }
  }
  return kept;
}

std::vector<std::string> describe(const KeptArtifacts& kept, const pipelines::Plan& plan, TimePoint now) {
  struct Run {
    std::string name;
    std::vector<std::string> jobs;
    TimePoint saved_at;  // the oldest
  };
  std::vector<Run> runs;
  for (const auto& [job, entry] : kept.found) {
    const std::string name = run_of(*entry);
    auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& known) { return known.name == name; });
    if (run == runs.end()) run = runs.insert(runs.end(), {name, {}, entry->saved_at});
    run->jobs.push_back(in_quotes(plan.jobs[job].name));
    run->saved_at = std::min(run->saved_at, entry->saved_at);
  }
  std::vector<std::string> sentences;
  for (const Run& run : runs) {
    const auto age = std::max(now - run.saved_at, std::chrono::milliseconds(0));
    sentences.push_back("artifacts of " + first_of(run.jobs) + " are those of " + run.name + ", " +
                        format_duration(age) + " ago");
  }
  return sentences;
}

std::string first_of(std::vector<std::string> names) {
  constexpr std::size_t kNamed = 5;
  const std::size_t count = names.size();
  names.resize(std::min(count, kNamed));
  return join(names, ", ") + (count > kNamed ? " and " + std::to_string(count - kNamed) + " more" : "");
}

std::vector<std::string> with_their_sources(const pipelines::Plan& plan, const Chosen& chosen) {
  std::set<std::size_t> jobs;
  for (const std::size_t job : chosen.jobs) {
    for (const std::size_t source : artifact_closure(plan, job)) jobs.insert(source);
  }
  std::vector<std::string> names;
  names.reserve(jobs.size());
  for (const std::size_t job : jobs) names.push_back(plan.jobs[job].name);
  return names;
}

}  // namespace runner::cli
