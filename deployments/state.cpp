#include "deployments/state.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <vector>

namespace runner::deployments {
namespace {

using enum State;

struct Entry {
  State state;
  std::string_view name;
  std::vector<State> next;
};

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries{
      {planned, "planned", {waiting_approval, waiting_window, queued, superseded, canceled, failed}},
      {waiting_approval,
       "waiting_approval",
       {planned, waiting_window, queued, rejected, expired, superseded, canceled, failed}},
      {waiting_window, "waiting_window", {waiting_approval, queued, expired, superseded, canceled, failed}},
      {queued, "queued", {waiting_approval, waiting_window, locked, expired, superseded, canceled, failed}},
      {locked, "locked", {preparing, succeeded, failed, canceled}},  // succeeded: of a job's own commands
      {preparing, "preparing", {snapshotted, failed}},
      {snapshotted, "snapshotted", {migrating, progressing, failed, rolling_back}},
      {migrating, "migrating", {progressing, paused, rolling_back}},
      {progressing, "progressing", {paused, switched, rolling_back}},
      {paused, "paused", {migrating, progressing, verifying, rolling_back}},
      {switched, "switched", {verifying, rolling_back}},
      {verifying, "verifying", {paused, finalizing, rolling_back}},
      {finalizing, "finalizing", {succeeded}},
      {rolling_back, "rolling_back", {rolled_back, rollback_failed}},
      {succeeded, "succeeded", {}},
      {failed, "failed", {}},
      {rolled_back, "rolled_back", {}},
      {rollback_failed, "rollback_failed", {resolved, rolling_back}},
      {resolved, "resolved", {}},
      {rejected, "rejected", {}},
      {expired, "expired", {}},
      {superseded, "superseded", {}},
      {canceled, "canceled", {}}};
  return entries;
}

const Entry& entry_of(State state) noexcept {
  return table()[static_cast<std::size_t>(state)];
}

}  // namespace

std::string_view to_string(State state) noexcept {
  return entry_of(state).name;
}

std::optional<State> parse_state(std::string_view text) noexcept {
  for (const Entry& entry : table())
    if (entry.name == text) return entry.state;
  return std::nullopt;
}

bool is_end(State state) noexcept {
  return state >= succeeded && state != rollback_failed;
}

bool is_effectful(State state) noexcept {
  return state >= locked && state <= rolling_back;
}

bool is_waiting(State state) noexcept {
  return state <= queued;
}

std::span<const State> followers(State state) noexcept {
  return entry_of(state).next;
}

bool may_follow(State from, State to) noexcept {
  const auto next = followers(from);
  return std::find(next.begin(), next.end(), to) != next.end();
}

}  // namespace runner::deployments
