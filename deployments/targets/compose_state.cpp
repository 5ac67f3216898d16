#include "deployments/targets/compose_state.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr const char* kNumber = "io.runner.deploy.number";
constexpr const char* kImage = "io.runner.deploy.image";
constexpr const char* kRendered = "io.runner.deploy.rendered";
constexpr const char* kPulled = "io.runner.deploy.pulled";
constexpr const char* kAt = "io.runner.deploy.at";
constexpr std::size_t kShort = 12;

struct Held {
  std::uint64_t token = 0;
  std::int64_t number = 0;
  std::string release, record;
  bool operator<(const Held& other) const {
    return std::pair(token, number) < std::pair(other.token, other.number);
  }
};

std::int64_t number_of(const Labels& labels, const char* name) {
  return parse_integer(label_of(labels, name)).value_or(0);
}

std::map<std::string, std::vector<Held>> held_by_place(const std::vector<EngineRecord>& records) {
  std::map<std::string, std::vector<Held>> all;
  for (const EngineRecord& record : records)
    if (const std::string& place = label_of(record.labels, label::kSlot); !place.empty())
      all[place].push_back({token_of(record.labels), number_of(record.labels, kNumber),
                            label_of(record.labels, label::kRelease), record.name});
  for (auto& [place, held] : all) std::sort(held.begin(), held.end());
  return all;
}

}  // namespace

ComposeState::ComposeState(ComposeEngine& engine, const std::string& project, const std::string& service)
    : engine_(engine),
      // A project has no '.', so that no two units have a name in common.
      prefix_("runner." + project + "." + service + "."),
      service_(service),
      unit_{{label::kUnit, project + "/" + service}} {}

std::string ComposeState::name_of(const std::string& what) const {
  return prefix_ + what;
}

std::vector<EngineRecord> ComposeState::records(const char* kind, const std::stop_token& stop) const {
  Labels wanted = unit_;
  wanted[label::kRecord] = kind;
  return engine_.records(wanted, stop);
}

Labels ComposeState::labels_for(const char* kind, const Fence& fence) const {
  Labels labels = unit_;
  labels[label::kRecord] = kind;
  labels[label::kEnvironment] = fence.environment;
  labels[label::kDeployment] = fence.deployment;
  labels[label::kToken] = std::to_string(fence.token);
  return labels;
}

std::uint64_t ComposeState::highest_token(const std::stop_token& stop) const {
  std::uint64_t highest = 0;
  for (const EngineRecord& record : records("fence", stop))
    highest = std::max(highest, token_of(record.labels));
  return highest;
}

void ComposeState::check(const Fence& fence, const EngineRecord& record) const {
  const std::string& environment = label_of(record.labels, label::kEnvironment);
  if (environment != fence.environment)
    throw Error(ErrorCode::conflict, "the service " + in_quotes(label_of(unit_, label::kUnit)) +
                                         " of the engine belongs to the environment " +
                                         in_quotes(environment) + ", and this one is " +
                                         in_quotes(fence.environment) + "; give one of them another name");
  const std::uint64_t token = token_of(record.labels);
  const std::string& deployment = label_of(record.labels, label::kDeployment);
  if (token > fence.token || (token == fence.token && deployment != fence.deployment))
    throw StaleFence(service_, token, deployment);
}

void ComposeState::present(const Fence& fence, const std::stop_token& stop) const {
  const auto look = [&] {
    bool ours = false;
    for (const EngineRecord& record : records("fence", stop)) {
      check(fence, record);
      ours = ours || token_of(record.labels) == fence.token;
    }
    return ours;
  };
  if (look()) return;
  check(fence,
        engine_.record(name_of("fence." + std::to_string(fence.token)), labels_for("fence", fence), stop));
  look();  // a higher one may have come between
}

void ComposeState::take_over(const Fence& fence, const std::stop_token& stop) const {
  std::vector<std::string> old;
  for (const auto& [place, held] : held_by_place(records("slot", stop))) {
    if (held.back().token < fence.token) {
      Labels labels = labels_for("slot", fence);
      labels[label::kSlot] = place;
      labels[label::kRelease] = held.back().release;
      labels[kNumber] = "0";
      engine_.record(name_of("slot." + place + "." + std::to_string(fence.token) + ".0"), labels, stop);
    }
    for (const Held& one : held)
      if (one.token < fence.token) old.push_back(one.record);
  }
  for (const char* kind : {"fence", "command"})
    for (const EngineRecord& record : records(kind, stop))
      if (token_of(record.labels) < fence.token &&
          label_of(record.labels, label::kDeployment) != fence.deployment)
        old.push_back(record.name);
  for (const std::string& name : old) engine_.forget(name, stop);
}

std::map<std::string, std::string> ComposeState::places(const std::stop_token& stop) const {
  std::map<std::string, std::string> all;
  for (const auto& [place, held] : held_by_place(records("slot", stop))) all[place] = held.back().release;
  return all;
}

void ComposeState::hold(const Fence& fence, const std::string& place, const std::string& release,
                        const std::stop_token& stop) const {
  const auto all = held_by_place(records("slot", stop));
  const auto found = all.find(place);
  std::int64_t number = 1;
  if (found != all.end()) {
    const Held& now = found->second.back();
    if (now.token == fence.token && now.release == release) return;
    if (now.token == fence.token) number = now.number + 1;
  }
  Labels labels = labels_for("slot", fence);
  labels[label::kSlot] = place;
  labels[label::kRelease] = release;
  labels[kNumber] = std::to_string(number);
  const EngineRecord made = engine_.record(
      name_of("slot." + place + "." + std::to_string(fence.token) + "." + std::to_string(number)), labels,
      stop);
  if (label_of(made.labels, label::kRelease) != release)
    throw Error(ErrorCode::conflict, "another process of this deployment has put the release " +
                                         in_quotes(label_of(made.labels, label::kRelease)) +
                                         " in the same place at the same time");
  present(fence, stop);
  if (found == all.end()) return;
  for (const Held& one : found->second) engine_.forget(one.record, stop);
}

void ComposeState::forget(const std::string& place, const std::stop_token& stop) const {
  for (const char* kind : {"slot", "release"})
    for (const EngineRecord& record : records(kind, stop))
      if (label_of(record.labels, label::kSlot) == place) engine_.forget(record.name, stop);
}

void ComposeState::keep(const Fence& fence, const std::string& place, const PreparedRelease& release,
                        const std::stop_token& stop) const {
  Labels labels = labels_for("release", fence);
  labels[label::kSlot] = place;
  labels[label::kRelease] = release.release;
  labels[kImage] = release.image;
  labels[kRendered] = release.config;
  labels[kPulled] = release.pulled ? "yes" : "no";
  labels[kAt] = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  const std::string name =
      name_of("release." + place + "." + release.release + "." + std::to_string(fence.token) + "." +
              sha256_hex(release.config).substr(0, kShort));
  engine_.record(name, labels, stop);
  for (const EngineRecord& record : records("release", stop))
    if (record.name != name && label_of(record.labels, label::kRelease) == release.release &&
        label_of(record.labels, label::kSlot) == place && token_of(record.labels) <= fence.token)
      engine_.forget(record.name, stop);
}

std::map<std::string, std::map<std::string, PreparedRelease>> ComposeState::releases(
    const std::stop_token& stop) const {
  std::map<std::string, std::map<std::string, PreparedRelease>> all;
  for (const EngineRecord& record : records("release", stop)) {
    const std::string& place = label_of(record.labels, label::kSlot);
    if (place.empty()) continue;
    PreparedRelease one{label_of(record.labels, label::kRelease),
                        label_of(record.labels, kImage),
                        label_of(record.labels, kRendered),
                        label_of(record.labels, kPulled) == "yes",
                        number_of(record.labels, kAt),
                        token_of(record.labels),
                        record.name};
    PreparedRelease& newest = all[one.release][place];
    if (newest.record.empty() || std::pair(newest.token, newest.at) <= std::pair(one.token, one.at))
      newest = std::move(one);
  }
  return all;
}

void ComposeState::begin_command(const Fence& fence, const std::string& name,
                                 const std::stop_token& stop) const {
  Labels labels = labels_for("command", fence);
  labels[label::kCommand] = name;
  engine_.record(name_of("command." + sha256_hex(fence.deployment + "\n" + name).substr(0, kShort)), labels,
                 stop);
}

bool ComposeState::was_begun(const Fence& fence, const std::string& name, const std::stop_token& stop) const {
  const std::vector<EngineRecord> begun = records("command", stop);
  return std::any_of(begun.begin(), begun.end(), [&](const EngineRecord& record) {
    return label_of(record.labels, label::kDeployment) == fence.deployment &&
           label_of(record.labels, label::kCommand) == name;
  });
}

}  // namespace runner::deployments
