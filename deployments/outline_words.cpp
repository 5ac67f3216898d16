#include "deployments/outline_words.h"

#include <nlohmann/json.hpp>

#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using nlohmann::json;
using pipelines::DeploySpec;
using pipelines::ProbeKind;

std::string probe_words(const pipelines::ProbeSpec& probe) {
  std::string text;
  switch (probe.kind) {
    case ProbeKind::none:
      return "nothing is asked: there is no 'health'";
    case ProbeKind::http:
      text = "http " + probe.path;
      break;
    case ProbeKind::tcp:
      text = "tcp";
      break;
    case ProbeKind::exec:
      text = in_quotes(probe.command);
      break;
  }
  if (probe.port != 0) text += " on port " + std::to_string(probe.port);
  return text + " passes " + std::to_string(probe.successes) + " times in a row, within " +
         format_duration(probe.deadline);
}

std::string traffic_words(const Phase& phase) {
  std::string text;
  for (const auto& [place, state] : phase.servers) {
    text += (text.empty() ? "" : ", ") + places_text({place}) + " ";
    if (state.admission == Admission::ready)
      text += std::to_string(state.weight) + " %";
    else
      text += state.admission == Admission::drain ? "nothing new" : "out";
  }
  return text;
}

std::string hold_words(const Phase& phase, const DeploySpec& spec) {
  std::string text = "wait " + format_duration(phase.hold);
  if (!phase.checked || spec.strategy.checks.empty()) return text;
  std::vector<std::string> names;
  for (const pipelines::CanaryCheck& check : spec.strategy.checks)
    names.push_back(check.name.empty() ? check.metric : check.name);
  return text + " and look at the checks (" + join(names, ", ") + ") every " +
         format_duration(spec.strategy.interval);
}

std::string phase_words(const OutlineStep& step, const DeploySpec& spec, const std::string& candidate) {
  const std::string where = places_text(step.places);
  switch (step.phase.action) {
    case Action::halt:
      return "end what runs on " + where + ", killed after " + format_duration(spec.stop_grace);
    case Action::place:
      if (step.phase.release.empty()) return "nothing is to be on " + where + " any more";
      return (step.phase.release == candidate ? "the new release goes on " + where
                                              : "release " + step.phase.release + " goes on " + where);
    case Action::start:
      return "start it on " + where;
    case Action::probe:
      return "wait until " + where + " is healthy: " + probe_words(spec.health);
    case Action::smoke:
      return "check " + where + " before the switch, within " + format_duration(spec.smoke.timeout);
    case Action::admit:
      return "traffic: " + traffic_words(step.phase);
    case Action::drain:
      return "wait until nobody is served by " + where + "; what is open after " +
             format_duration(spec.drain_timeout) + " is cut";
    case Action::hold:
      return hold_words(step.phase, spec);
    case Action::promote:
      return "wait for a person: 'runner deploy promote'";
  }
  return {};
}

std::string migration_words(const OutlineStep& step, const DeploySpec& spec) {
  const std::string where = " on " + places_text(step.places) + ", within " +
                            (spec.migrate ? format_duration(spec.migrate->timeout) : std::string());
  if (step.action == "backup") return "back up" + where;
  if (step.action == "down") return "undo the migration" + where;
  return "migrate" + where + ", once; nobody ends it half-way";
}

json places_json(const std::vector<Place>& places) {
  json all = json::array();
  for (const Place& place : places) all.push_back({{"unit", place.unit}, {"slot", to_string(place.slot)}});
  return all;
}

json step_json(const OutlineStep& step) {
  json one{{"part", to_string(step.part)},
           {"n", step.n},
           {"action", step.action},
           {"places", places_json(step.places)},
           {"text", step.text}};
  if (step.batches > 0) {
    one["batch"] = step.batch;
    one["batches"] = step.batches;
  }
  if (!step.commands.empty()) one["commands"] = step.commands;
  if (step.part == Part::forward) one["weight"] = step.phase.weight;
  if (step.phase.hold.count() > 0) one["seconds"] = static_cast<double>(step.phase.hold.count()) / 1000;
  if (!step.phase.servers.empty()) {
    json servers = json::array();
    for (const auto& [place, state] : step.phase.servers)
      servers.push_back({{"unit", place.unit},
                         {"slot", to_string(place.slot)},
                         {"admission", to_string(state.admission)},
                         {"weight", state.weight}});
    one["servers"] = std::move(servers);
  }
  return one;
}

json steps_json(const std::vector<OutlineStep>& steps) {
  json all = json::array();
  for (const OutlineStep& step : steps) all.push_back(step_json(step));
  return all;
}

json migration_json(const pipelines::MigrationSpec& migration) {
  return {{"compatible", migration.compatible},
          {"idempotent", migration.idempotent},
          {"list", migration.list},
          {"run", migration.run},
          {"down", migration.down}};
}

}  // namespace

std::string places_text(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) {
    text += (text.empty() ? "" : ", ") + place.unit;
    if (place.slot != Slot::single) text += " (" + std::string(to_string(place.slot)) + ")";
  }
  return text;
}

std::string step_words(const OutlineStep& step, const DeploySpec& spec, const std::string& candidate) {
  std::string text;
  if (step.part == Part::prepare)
    text = "bring the release to " + places_text(step.places) + ", without effect on what runs";
  else if (step.part == Part::migrate)
    text = migration_words(step, spec);
  else if (step.part == Part::verify)
    text = "check after the switch, within " + format_duration(spec.smoke.timeout);
  else
    text = phase_words(step, spec, candidate);
  if (step.batches < 2) return text;
  return "batch " + std::to_string(step.batch) + " of " + std::to_string(step.batches) + ": " + text;
}

std::vector<std::string> smoke_lines(const std::vector<pipelines::SmokeCheck>& checks) {
  std::vector<std::string> lines;
  lines.reserve(checks.size());
  for (const pipelines::SmokeCheck& check : checks)
    lines.push_back(check.command.empty() ? "GET " + check.url + ": " + std::to_string(check.status_low) +
                                                (check.status_high == check.status_low
                                                     ? std::string()
                                                     : " to " + std::to_string(check.status_high))
                                          : check.command);
  return lines;
}

std::string migration_loss(const pipelines::MigrationSpec& migration) {
  if (migration.compatible)
    return "the migration: it stays, as the old release works with the new schema (migrate:compatible)";
  if (migration.down.empty())
    return "the migration: the old release does not work with the new schema and there is no migrate:down, "
           "so "
           "a rollback after it fails and somebody must look";
  return "the migration: migrate:down is run, and what it does not bring back is lost";
}

std::string outline_json(const DeploySpec& spec, const Outline& outline) {
  json release{
      {"image", spec.release.image}, {"artifact", spec.release.artifact}, {"config", spec.release.config}};
  json all{{"target", outline.target},
           {"strategy", outline.strategy},
           {"balancer", outline.balancer},
           {"units", outline.units},
           {"slots", outline.slots},
           {"first_release", outline.first_release},
           {"release", std::move(release)},
           {"steps", steps_json(outline.steps)},
           {"rollback",
            {{"when", outline.back_when},
             {"steps", steps_json(outline.back)},
             {"cannot_undo", outline.cannot_undo}}},
           {"migration", spec.migrate ? migration_json(*spec.migrate) : json()}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace runner::deployments
