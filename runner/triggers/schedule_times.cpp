#include "runner/triggers/schedule_times.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::triggers {
namespace {

constexpr std::size_t kLargestList = std::size_t{1} << 20U;

/// The zones that people are meant to choose from (tzselect(8)): the third column of a table beside their
/// files. Empty where it is not installed.
std::vector<std::string> zone_names() {
  std::vector<std::string> names = {"UTC"};
  for (const char* table : {"zone.tab", "zone1970.tab"}) {
    const auto text = read_file(zoneinfo_directory() / table, kLargestList);
    if (!text) continue;
    for (const std::string_view line : split(*text, '\n')) {
      if (line.starts_with('#')) continue;
      const auto columns = split(line, '\t');
      if (columns.size() >= 3) names.emplace_back(columns[2]);
    }
    break;
  }
  return names;
}

/// "Europe/Zurich" for "europe/zurich", "Zurich" and "Europe/Zurch".
std::optional<std::string> zone_meant_by(std::string_view word) {
  const std::vector<std::string> names = zone_names();
  const std::string low = to_lower(word);
  for (const std::string& name : names) {
    const std::string known = to_lower(name);
    if (known == low || known.substr(known.rfind('/') + 1) == low) return name;
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const auto near = nearest(word, candidates);
  return near ? std::optional<std::string>(*near) : std::nullopt;
}

std::string zone_problem(std::string_view name, const Error& error) {
  constexpr std::size_t kLongestShown = 80;
  const std::string shown = in_quotes(to_utf8(name.substr(0, kLongestShown)));
  if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::invalid_input)
    return std::string(error.what());
  std::string text = "there is no time zone " + shown;
  if (const auto meant = zone_meant_by(name)) return text + "; did you mean " + in_quotes(*meant) + "?";
  if (!std::filesystem::exists(zoneinfo_directory()))
    return text + ": no zones are installed here but 'UTC'; install the package tzdata";
  return text + "; write one such as 'Europe/Zurich' or 'UTC'";
}

std::optional<TimeZone> read_zone(std::string_view name, std::string& problem) {
  try {
    return TimeZone::load(name);
  } catch (const Error& error) {
    problem = zone_problem(name, error);
    return std::nullopt;
  }
}

}  // namespace

std::optional<ScheduleTimes> ScheduleTimes::read(std::string_view cron, std::string_view time_zone,
                                                 TimePoint now, TimesProblem& problem) {
  problem = {};
  CronError error;
  const auto parsed = Cron::parse(cron, error);
  if (!parsed) problem.cron = error.message + (error.help.empty() ? "" : "; " + error.help);
  const auto zone = read_zone(time_zone, problem.time_zone);
  if (!parsed || !zone) return std::nullopt;
  ScheduleTimes times(*parsed, *zone);
  if (!times.next_after(now)) {
    problem.cron = "no day is ever like this; look at the day of the month and the month";
    return std::nullopt;
  }
  return times;
}

std::string variables_text(const std::map<std::string, std::string>& variables) {
  return nlohmann::json(variables).dump();
}

std::map<std::string, std::string> read_variables(std::string_view text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  std::map<std::string, std::string> variables;
  if (!value.is_object()) throw Error(ErrorCode::corrupt, "the variables of a schedule are no JSON object");
  for (const auto& [name, each] : value.items()) {
    if (!each.is_string())
      throw Error(ErrorCode::corrupt, "the variable " + in_quotes(name) + " of a schedule is no text");
    variables.emplace(name, each.get<std::string>());
  }
  return variables;
}

}  // namespace runner::triggers
