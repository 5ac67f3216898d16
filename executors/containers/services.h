#pragma once
// The containers beside a job: started in order, waited for together, and what they say. Any thread; blocks
// on the engine.

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "executors/containers/container_bodies.h"
#include "executors/containers/engine_api.h"
#include "executors/containers/sandbox_file.h"
#include "executors/executor.h"

namespace runner::executors {

/// A service whose container is there.
struct StartedService {
  std::string image;      // as the job names it
  std::string container;  // its name
  ImageFacts facts;
};

/// Makes the sandbox's network and the service containers in it and starts them, in order. Throws Error:
/// invalid_input for what an image has not.
std::vector<StartedService> start_services(const EngineApi& api, const SandboxSpec& spec,
                                           const ContainerNames& names, const std::vector<ImageFacts>& images,
                                           const Ulimits& ulimits, const std::stop_token& stop);

/// Until each is healthy, when its image has a check for that, or one of its exposed ports takes a
/// connection. One that ends, is unhealthy or not there in time gives a warning with what it wrote last in
/// the job's log; the job goes on. Throws Error: cancelled, or when the engine is gone.
void wait_for_services(const EngineApi& api, const std::vector<StartedService>& services,
                       std::chrono::milliseconds patience, LogSink& sink, const std::stop_token& stop);

/// What a container wrote; `options` say which part of it: "tail=50". For logs; never throws, says why it
/// cannot.
std::string container_log(const EngineApi& api, const std::string& container, const std::string& options);

/// Gives the sink what the services wrote since the last call, each line with its service in front. `marker`
/// is a file of ours that says until when that was. At most the last 64 KiB of each.
void pass_service_logs(const EngineApi& api, const std::vector<ServiceName>& services,
                       const std::filesystem::path& marker, LogSink& sink) noexcept;

}  // namespace runner::executors
