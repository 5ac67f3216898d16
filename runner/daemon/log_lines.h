#pragma once
// What the daemon writes into its log of requests and jobs. Any thread.

#include "runner/daemon/metrics.h"
#include "runner/engine/engine.h"
#include "runner/http/server.h"

namespace runner::daemon {

/// Component "access". Requests that read are for debugging; those that change something are news, those that
/// failed here warnings.
void log_access(const http::AccessRecord& record) noexcept;
/// Component "jobs": one line when it starts, one when it has ended.
void log_job(const engine::JobView& job) noexcept;

/// runner_log_*: how many lines there were, and how many had no room.
void add_log_metrics(MetricsText& text);

}  // namespace runner::daemon
