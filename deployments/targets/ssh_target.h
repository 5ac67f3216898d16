#pragma once
// Hosts reached by ssh. Each has a directory below which everything lies (ssh_script.h has the layout) and
// needs a POSIX shell, flock, tar and sha256sum; nothing of ours is installed there.
//
// Every verb is one command of the OpenSSH client. It takes a lock on the host, presents the fence and ends
// with its connection: what a killed deployer had begun there ends as well, before anybody else begins.

#include <memory>
#include <mutex>

#include "deployments/target.h"
#include "deployments/targets/ssh_options.h"

namespace runner::deployments {

class SshClient;
struct SshAnswer;
struct SshCall;

class SshTarget final : public Target {
 public:
  /// Throws Error{invalid_input}. Reaches nothing.
  explicit SshTarget(SshOptions options);
  ~SshTarget() override;
  SshTarget(const SshTarget&) = delete;
  SshTarget& operator=(const SshTarget&) = delete;

  const std::vector<std::string>& units() const override { return units_; }
  bool has_slots() const override;

  std::uint64_t seen_token(const std::string& unit, std::stop_token stop) override;
  /// Of two that come at the same time one has the lock; the higher token is taken even while a command that
  /// survived its deployer still runs, so that this deployer begins nothing more, but that command is waited
  /// for. Throws Error{conflict} when the root belongs to another environment.
  void claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds patience,
             std::stop_token stop) override;
  /// An artifact is checked here first (artifact_check.h), and must be on this machine even when the release
  /// is there already. Throws Error{invalid_input} for a release that is an image.
  void prepare(const std::string& unit, const Release& release, std::stop_token stop) override;
  bool is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) override;
  /// `running` asks the status command, and what was started there last.
  UnitState observe(const std::string& unit, std::stop_token stop) override;
  void place(const std::string& unit, Slot slot, const std::string& release, std::stop_token stop) override;
  /// What runs there and is another release is halted first.
  void start(const std::string& unit, Slot slot, std::stop_token stop) override;
  void halt(const std::string& unit, Slot slot, std::chrono::milliseconds grace,
            std::stop_token stop) override;
  Endpoint endpoint(const std::string& unit, Slot slot) const override;
  /// What a command that survives left stays until another deployment claims the unit: its result can be
  /// read again.
  CommandResult run(const std::string& unit, Slot slot, const TargetCommand& command, const TellLine& tell,
                    std::stop_token stop) override;
  void clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
             std::stop_token stop) override;
  void leave(const std::string& unit) noexcept override;

 private:
  std::size_t index_of(const std::string& unit) const;
  /// Assignments that every call has.
  std::string common(std::size_t host, const Fence& fence) const;
  std::string for_slot(std::size_t host, Slot slot) const;
  /// Throws Error{conflict} when nobody claimed the unit.
  std::string claimed(std::size_t host) const;
  /// The fence when it was claimed, else none.
  std::string maybe_claimed(std::size_t host) const;
  SshAnswer call(std::size_t host, const SshCall& call, const std::stop_token& stop) const;
  std::uint16_t port_of(std::size_t host, Slot slot) const;

  SshOptions options_;
  std::vector<std::string> units_, names_;
  std::unique_ptr<SshClient> client_;
  mutable std::mutex mutex_;
  std::vector<Fence> fences_;  // token 0: not claimed
};

}  // namespace runner::deployments
