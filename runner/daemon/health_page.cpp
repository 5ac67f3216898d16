#include "runner/daemon/health_page.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/text.h"

namespace runner::daemon {
namespace {

using api::HealthQuestion;
using nlohmann::json;
using Seconds = std::chrono::duration<double>;

enum class Need : std::uint8_t { live, ready, none };

struct Check {
  const char* name;
  Need need;
  std::string why;  // "" = it passes
  json more;        // what else is told of it
};

constexpr std::array kNeeds{"live", "ready", "none"};

std::string in_seconds(Seconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", time.count());
  return text.data();
}

std::string stuck(const char* what, Seconds age) {
  if (age <= kLongestStep) return {};
  return std::string(what) + " made no step for " + in_seconds(age) + ", and was to make one within " +
         in_seconds(kLongestStep) + ": start the server anew";
}

std::vector<Check> checks_of(const HealthFacts& facts) {
  const HealthState& state = facts.state;
  const Seconds scheduler = facts.scheduler_age.value_or(Seconds(0));
  std::vector<Check> checks{
      {"event_loop",
       Need::live,
       stuck("the thread of the HTTP server", facts.event_loop_age),
       {{"age_seconds", facts.event_loop_age.count()}}},
      {"scheduler", Need::live, stuck("the engine", scheduler), {{"age_seconds", scheduler.count()}}},
      {"database",
       Need::ready,
       state.database.empty() ? state.engine : state.database,
       {{"kind", "write"}, {"latency_seconds", state.database_seconds}}},
      {"migrations", Need::ready, state.migrations, {{"schema", state.schema}}},
      {"disk", Need::ready, state.disk, {{"free_bytes", state.free_bytes}, {"min_bytes", state.min_bytes}}},
      {"key", Need::none, state.key, {{"key_id", facts.key_id}}},
      {"repositories",
       Need::none,
       facts.unreachable == 0
           ? ""
           : "of " + format_count(facts.unreachable, "project") +
                 " the repository could not be looked at; `runner project show NAME` tells why",
       {{"unreachable", facts.unreachable}}},
  };
  return checks;
}

/// What is wrong with the names of checks; "" = they are all there.
std::string unknown_names(const std::vector<Check>& checks, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::vector<std::string> known;
    known.reserve(checks.size());
    for (const Check& check : checks) known.emplace_back(check.name);
    if (std::find(known.begin(), known.end(), name) == known.end())
      return "there is no check " + in_quotes(name) + "; there are " + join(known, ", ");
  }
  return {};
}

json told(const Check& check) {
  json text = check.more;
  text["required_for"] = kNeeds.at(static_cast<std::size_t>(check.need));
  text["status"] = check.why.empty() ? "pass" : check.need == Need::none ? "warn" : "fail";
  if (!check.why.empty()) text["output"] = check.why;
  return text;
}

std::string dumped(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// The checks that were not left out, and what follows from them.
struct Verdict {
  std::vector<Check> checks;
  bool live = true, ready = true, degraded = false;
  std::string why;  // of what is needed, the first that is wrong
};

Verdict verdict_of(const HealthFacts& facts, std::vector<Check> checks, const HealthQuestion& question) {
  std::erase_if(checks, [&](const Check& check) {
    return std::find(question.exclude.begin(), question.exclude.end(), check.name) != question.exclude.end();
  });
  Verdict verdict;
  const bool liveness = question.about == HealthQuestion::About::live;
  for (const Check& check : checks) {
    if (check.why.empty()) continue;
    if (check.need == Need::live) verdict.live = false;
    if (check.need == Need::ready) verdict.ready = false;
    if (check.need == Need::none) verdict.degraded = true;
    if (verdict.why.empty() && (check.need == Need::live || (check.need == Need::ready && !liveness)))
      verdict.why = check.why;
  }
  verdict.ready = verdict.ready && verdict.live && facts.serving && !facts.draining;
  if (!liveness && (facts.draining || !facts.serving))
    verdict.why = facts.draining ? "the server is about to end" : "the server is about to begin";
  verdict.checks = std::move(checks);
  return verdict;
}

std::string page_of(const HealthFacts& facts, const Verdict& verdict, const HealthQuestion& question) {
  json body{{"status", !verdict.ready ? "unavailable" : verdict.degraded ? "degraded" : "ok"}};
  if (!question.detail) return dumped(body);
  json checks = json::object();
  for (const Check& check : verdict.checks) {
    if (question.verbose || !check.why.empty()) checks[check.name] = told(check);
  }
  body["live"] = verdict.live;
  body["ready"] = verdict.ready;
  body["draining"] = facts.draining;
  body["version"] = facts.version;
  body["started_at"] = format_iso8601(facts.started);
  body["uptime_seconds"] = facts.uptime.count();
  body["checked_at"] = facts.state.checked_at ? json(format_iso8601(*facts.state.checked_at)) : json();
  body["checks"] = std::move(checks);
  return dumped(body);
}

}  // namespace

api::HealthAnswer health_answer(const HealthFacts& facts, const HealthQuestion& question) {
  std::vector<Check> checks = checks_of(facts);
  if (std::string wrong = unknown_names(checks, question.exclude); !wrong.empty())
    return {false, {}, std::move(wrong)};
  const Verdict verdict = verdict_of(facts, std::move(checks), question);
  const bool good = question.about == HealthQuestion::About::live ? verdict.live : verdict.ready;
  if (question.about == HealthQuestion::About::all) return {good, page_of(facts, verdict, question), {}};
  if (!question.detail) return {good, good ? "ok\n" : "unavailable\n", {}};
  if (!good) return {good, verdict.why + "\n", {}};
  if (question.about == HealthQuestion::About::ready) return {good, "ok\n", {}};
  return {good,
          facts.scheduler_age ? "ok: the engine made a step " + in_seconds(*facts.scheduler_age) + " ago\n"
                              : "ok: the engine has nothing to do\n",
          {}};
}

}  // namespace runner::daemon
