#pragma once
// All pipelines of an engine on one thread: messages come in, every pipeline they touch is taken through
// receive and advance, room is given to whose turn it is, everything decided is written in one transaction,
// then done.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/synchronized.h"
#include "runner/engine/backlog.h"
#include "runner/engine/job_queue.h"
#include "runner/engine/loop_stats.h"
#include "runner/engine/loop_timers.h"
#include "runner/engine/mailbox.h"
#include "runner/engine/pipeline_run.h"
#include "runner/engine/resource_groups.h"
#include "runner/engine/stored_pipeline.h"
#include "runner/engine/worker_threads.h"

namespace runner::engine {

class EngineLoop {
 public:
  EngineLoop(const EngineOptions& options, const EngineParts& parts);
  EngineLoop(const EngineLoop&) = delete;
  EngineLoop& operator=(const EngineLoop&) = delete;

  // Any thread.
  std::int64_t add(PipelineRequest request);
  void post(std::int64_t pipeline, Message message);
  void set_resource_mode(const ResourceGroups::Key& group, ResourceMode mode);
  /// Shared, because viewers of other threads may look while the loop lets go of it. Throws Error{not_found}.
  std::shared_ptr<PipelineRun> find(std::int64_t pipeline) const;
  EngineStats stats() const;
  std::optional<std::chrono::duration<double>> since_step() const noexcept { return stats_.since_step(); }

  // The calling thread becomes the engine thread.
  /// Goes on with what an engine before this one left in the store. Before the first turn. Throws Error.
  void resume(std::vector<StoredPipeline> pipelines, const std::vector<WaitingPipeline>& waiting);
  /// As Engine::serve().
  void serve(const std::stop_token& stop, const ServeOptions& serve);
  /// Until the pipeline is idle. On an exception everything that ran has ended.
  PipelineEnd run(std::int64_t pipeline);

 private:
  struct Envelope {
    std::int64_t pipeline = 0;
    Message message;
  };
  using Runs = std::map<std::int64_t, std::shared_ptr<PipelineRun>>;

  /// False: the store cannot be written, and all that waits for it waits.
  bool turn(std::vector<Envelope> envelopes, const ServeOptions* serve = nullptr);
  /// False: the store cannot be read for now.
  bool reload(std::int64_t pipeline, const ServeOptions& serve);
  /// Whether it can be received now, with all it needs of the store.
  bool can_receive(const Envelope& envelope, const ServeOptions& serve);
  void adopt(std::vector<StoredPipeline> pipelines);
  bool try_flush(const ServeOptions& serve);
  void let_go();
  /// Those that need not be in memory go to the backlog; those whose turn comes near come back.
  void step_back();
  void call_up(const ServeOptions& serve);
  EngineServices services();
  void receive(Envelope envelope);
  void wake_due();
  void advance();
  void claim();
  void take_modes();
  void grant();
  void flush();
  std::optional<SteadyPoint> next_deadline();
  void end_everything() noexcept;
  /// nullptr when there is none.
  std::shared_ptr<PipelineRun> lookup(std::int64_t pipeline) const;
  void touch(std::int64_t pipeline) { to_advance_.insert(pipeline); }

  const EngineOptions& options_;
  const EngineParts& parts_;
  Mailbox<Envelope> mailbox_;
  std::vector<Envelope> kept_;  // that need the store, which does not answer
  mutable Synchronized<Runs> runs_;

  JobQueue queue_;
  Backlog backlog_;
  std::set<std::string> short_;  // projects that may have too few jobs in the queue
  ResourceGroups groups_;
  Synchronized<std::vector<std::pair<ResourceGroups::Key, ResourceMode>>> new_modes_;
  JobIds ids_;
  std::vector<std::size_t> free_slots_;
  std::set<std::int64_t> to_advance_, to_write_;
  LoopTimers timers_;
  LoopStats stats_;
  std::set<std::int64_t> working_;            // those with jobs that run
  std::vector<std::int64_t> idle_, waiting_;  // since the last turn: perhaps nobody needs them in memory
  std::size_t resumed_ = 0;                   // jobs that ran before this engine
  std::size_t stalled_ = 0;                   // how often in a row the store could not be written
  bool unreadable_ = false;                   // the last try to read a pipeline failed
  std::optional<SteadyPoint> try_again_, ask_host_at_;

  // Last, so that they are joined before anything they use goes away.
  WorkerThreads job_threads_, archiver_;
};

}  // namespace runner::engine
