#pragma once
// The HTTP API of a server, version 1, one folder: projects, pipelines, jobs, their logs and archives,
// events, users and their tokens, health and metrics, and where webhooks come in. It reads and writes the
// store, and has all else done by others (actions.h). Which routes there are, and who may use them, is one
// table (routes.h), which the OpenAPI document is made of too.

#include <filesystem>
#include <memory>
#include <string>

#include "runner/api/access_counts.h"
#include "runner/api/actions.h"
#include "runner/api/key_actions.h"
#include "runner/base/clock.h"
#include "runner/http/router.h"
#include "runner/storage/audit_chain.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::api {

/// What the API works with. All of it outlives the Api.
struct ApiParts {
  storage::Store& store;
  const storage::Sealer& sealer;
  const storage::AuditKey& audit_key;
  const Clock& clock;
  Actions& actions;
  KeyActions& keys;
  /// logs/PIPELINE/ATTEMPT.log lies below; those files grow and never change, and hold no secret.
  std::filesystem::path data_dir;
  std::string version = {};
  std::string commit = {};  // that the program was built of; empty: unknown
};

/// Any thread. Owns one thread, which feeds all who follow logs and events.
class Api {
 public:
  /// Throws Error when there are no descriptors.
  explicit Api(ApiParts parts);
  /// Ends all that is followed. The handlers of its routes may not run any more: the server goes first.
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// Throws Error{conflict} when a route is taken. The handlers block on the store, on the disk, and on what
  /// Actions says.
  void add_routes(http::Router& router);
  /// Something was committed, or a log grew: who follows is told. Does not block; call it as often as you
  /// like. Without it followers hear of logs after 100 ms and of the rest after a second.
  void changed() noexcept;
  const AccessCounts& access_counts() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::api
