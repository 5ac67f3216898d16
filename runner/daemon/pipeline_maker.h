#pragma once
// From a commit to a pipeline: plans it, and makes it, with all that must be there when it is, in one
// transaction. And back: what an engine needs to go on with a pipeline that is in the store.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cache/layer_store.h"
#include "runner/daemon/base_environment.h"
#include "runner/daemon/trigger.h"
#include "runner/engine/engine.h"
#include "runner/engine/stored_pipeline.h"
#include "runner/git/mirror.h"
#include "runner/storage/project_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct Made {
  std::optional<std::int64_t> pipeline;  // nullopt: there is none, or it had one already
  bool failed = false;                   // it is one that says what is wrong with the pipeline file
  std::string why;                       // for people
};

/// What else is true once a pipeline is made: called in the transaction that makes it, also where the
/// pipeline file gives none (nullopt) and `why` says so. May be repeated. What it throws make() throws, and
/// nothing is made.
using Settle =
    std::function<void(storage::Tx& tx, std::optional<std::int64_t> pipeline, const std::string& why)>;

struct MakerParts {
  storage::Store& store;
  const storage::Sealer& sealer;
  cache::LayerStore& layers;
  const Clock& clock;
  std::filesystem::path data_dir;
  const BaseEnvironment& base_environment;
  std::string server_url;   // CI_SERVER_URL, when the repository's says nothing
  bool shell_only = false;  // see DaemonOptions
  engine::ContainerSettings containers;
  // In the transaction that makes a pipeline, and after it was made without the engine. May be empty.
  std::function<void(storage::Tx& tx, const engine::StoredChange& change)> on_write = {};
  std::function<void(const storage::PipelineRecord& pipeline)> made = {};
};

/// Any thread, several at a time.
class PipelineMaker {
 public:
  explicit PipelineMaker(MakerParts parts) : parts_(std::move(parts)) {}

  /// `engine` runs it. With the pipeline of a push the head of its ref is written. Of pushes there is one for
  /// each commit of a ref, whoever asks how often. Throws Error: {invalid_input} only when it was asked for,
  /// with the diagnostics.
  Made make(engine::Engine& engine, const storage::ProjectRecord& project, git::Mirror& mirror,
            const Trigger& trigger, const Settle& settle = {});

  /// All unfinished pipelines. Of those that wait for room only their places are read. One that cannot be
  /// read is failed, and said in the log.
  struct Unfinished {
    std::vector<engine::StoredPipeline> under_way;
    std::vector<storage::WaitingPipeline> waiting;
  };
  Unfinished unfinished();
  /// nullopt: there is none, or none that this program made.
  std::optional<engine::StoredPipeline> load(std::int64_t pipeline);

  std::filesystem::path mirror_of(const storage::ProjectRecord& project) const;

 private:
  engine::PipelineRequest request_of(const storage::ProjectRecord& project, pipelines::PipelineFacts facts,
                                     pipelines::Plan plan);
  engine::FindEntry finder() const;
  Made refuse(const storage::ProjectRecord& project, const Trigger& trigger,
              const pipelines::PipelineFacts& facts, const std::string& message, const Settle& settle);
  void note_head(storage::Tx& tx, const storage::ProjectRecord& project, const Trigger& trigger) const;

  const MakerParts parts_;
};

}  // namespace runner::daemon
