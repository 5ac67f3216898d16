#include "executors/containers/services.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "executors/containers/frame_reader.h"
#include "executors/containers/port_probe.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kBetweenLooks{100};
constexpr std::size_t kLongestLog = 64U << 10U;
constexpr int kLogLines = 50;

std::string path_of(const std::string& container) {
  return "/containers/" + percent_encode(container);
}

void say(LogSink& sink, std::string text) {
  if (!text.empty() && text.back() != '\n') text += '\n';
  sink.write(Stream::out, std::as_bytes(std::span(text)));
}

void rest(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the wait for services was cancelled");
}

/// One service that is waited for.
class Waiting {
 public:
  Waiting(const EngineApi& api, const StartedService& service) : api_(&api), service_(&service) {}

  /// True when it is settled: ready, or failed for a reason.
  bool look(const std::stop_token& stop) {
    const EngineAnswer answer = api_->call({"GET", path_of(service_->container) + "/json"}, stop);
    if (answer.status == 404) return fail("its container is gone");
    if (!answer.ok()) throw_engine_error(answer, "look at the service '" + service_->image + "'");
    const Json json = Json::parse(answer.body, nullptr, false);
    if (!json.is_object() || !json.contains("State") || !json["State"].is_object())
      return fail("what the engine says of it cannot be read");
    const Json& state = json["State"];
    if (!state.value("Running", false))
      return fail("it ended with code " + std::to_string(state.value("ExitCode", -1)));
    if (has_check(json)) return is_healthy(state, stop);
    if (service_->facts.tcp_ports.empty()) return nothing_to_see_ = true;
    if (!network_) network_ = network_of_container(json.value("Id", ""), state.value("Pid", std::int64_t{0}));
    return takes_connection(network_, address_in(json), service_->facts.tcp_ports);
  }

  const StartedService& service() const { return *service_; }
  const std::string& failure() const { return failure_; }
  /// It has neither a health check nor a port.
  bool has_nothing_to_see() const { return nothing_to_see_; }

 private:
  bool fail(std::string why) {
    failure_ = std::move(why);
    return true;
  }

  // Asked of the container: Podman does not say it of the image.
  static bool has_check(const Json& container) {
    const Json test = container.value("/Config/Healthcheck/Test"_json_pointer, Json::array());
    return test.is_array() && !test.empty() && test.front() != "NONE";
  }

  bool is_healthy(const Json& state, const std::stop_token& stop) {
    const std::string health = state.contains("Health") && state["Health"].is_object()
                                   ? state["Health"].value("Status", "")
                                   : std::string();
    if (health == "healthy") return true;
    if (health == "unhealthy") return fail("its health check says that it is unhealthy");
    // Podman leaves the checks to systemd's timers, which need not be there. Docker does not know the
    // question.
    const EngineAnswer asked =
        api_->of_podman().call({"GET", "/libpod" + path_of(service_->container) + "/healthcheck"}, stop);
    const Json json = Json::parse(asked.body, nullptr, false);
    return asked.ok() && json.is_object() && json.value("Status", "") == "healthy";
  }

  static std::string address_in(const Json& container) {
    const Json networks = container.value("/NetworkSettings/Networks"_json_pointer, Json::object());
    if (networks.is_object())
      for (const Json& network : networks)
        if (network.is_object() && !network.value("IPAddress", "").empty())
          return network.value("IPAddress", "");
    return {};
  }

  const EngineApi* api_;
  const StartedService* service_;
  UniqueFd network_;
  std::string failure_;
  bool nothing_to_see_ = false;
};

void warn(const EngineApi& api, const StartedService& service, const std::string& why, LogSink& sink) {
  say(sink, "WARNING: service " + service.image + " is not ready: " + why);
  const std::string log = container_log(api, service.container, "tail=" + std::to_string(kLogLines));
  if (log.empty()) return say(sink, "It wrote nothing.");
  say(sink, "What it wrote last:\n" + log);
}

}  // namespace

std::vector<StartedService> start_services(const EngineApi& api, const SandboxSpec& spec,
                                           const ContainerNames& names, const std::vector<ImageFacts>& images,
                                           const Ulimits& ulimits, const std::stop_token& stop) {
  api.expect({"POST", "/networks/create", network_body(names)}, "make the network of the services", stop);
  std::vector<StartedService> started;
  for (std::size_t i = 0; i < spec.container->services.size(); ++i) {
    const ContainerService& service = spec.container->services[i];
    StartedService one{service.image.name, names.service(i), images.at(i)};
    const std::string what = "start the service '" + service.image.name + "'";
    api.expect({"POST", "/containers/create?name=" + one.container,
                service_body(spec, service, names, one.facts, ulimits)},
               what, stop);
    api.expect({"POST", path_of(one.container) + "/start"}, what, stop);
    started.push_back(std::move(one));
  }
  return started;
}

void wait_for_services(const EngineApi& api, const std::vector<StartedService>& services,
                       milliseconds patience, LogSink& sink, const std::stop_token& stop) {
  if (patience.count() < 0 || services.empty()) return;
  std::vector<Waiting> waiting;
  waiting.reserve(services.size());
  for (const StartedService& service : services) waiting.emplace_back(api, service);
  say(sink, "Waiting for services");
  const auto begun = Clock::now();
  const auto deadline = begun + patience;
  for (;;) {
    for (std::size_t i = waiting.size(); i-- > 0;) {
      if (!waiting[i].look(stop)) continue;
      if (waiting[i].has_nothing_to_see()) {
        say(sink, "Service " + waiting[i].service().image +
                      " exposes no port and has no health check; not waited for");
      } else if (waiting[i].failure().empty()) {
        const auto taken = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
        say(sink, "Service " + waiting[i].service().image + " is ready after " + format_duration(taken));
      } else {
        warn(api, waiting[i].service(), waiting[i].failure(), sink);
      }
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (waiting.empty()) return;
    if (Clock::now() >= deadline) break;
    rest(kBetweenLooks, stop);
  }
  for (const Waiting& late : waiting)
    warn(api, late.service(), "it did not answer within " + format_duration(patience), sink);
}

std::string container_log(const EngineApi& api, const std::string& container, const std::string& options) {
  std::string text;
  try {
    FrameReader frames;
    const Waits brief{std::chrono::seconds(10), std::chrono::seconds(10), std::chrono::seconds(20)};
    const EngineAnswer answer = api.stream(
        {"GET", path_of(container) + "/logs?stdout=1&stderr=1&" + options}, brief, [] {},
        [&](std::string_view bytes) {
          frames.feed(bytes, [&](Stream, std::string_view output) {
            text += output;
            if (text.size() > 2 * kLongestLog) text.erase(0, text.size() - kLongestLog);
          });
        });
    if (!answer.ok()) return "(its log cannot be read: " + answer.message() + ")";
  } catch (const Error& error) {
    return text + "(its log cannot be read: " + error.what() + ")";
  }
  if (text.size() > kLongestLog) text.erase(0, text.size() - kLongestLog);
  return text;
}

void pass_service_logs(const EngineApi& api, const std::vector<ServiceName>& services,
                       const std::filesystem::path& marker, LogSink& sink) noexcept {
  try {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    constexpr std::int64_t kMicros = 1'000'000;
    const std::string fraction = std::to_string(kMicros + micros % kMicros).substr(1);
    const std::string until = std::to_string(micros / kMicros) + "." + fraction;
    const std::string since = read_file(marker).value_or("0");
    for (const ServiceName& service : services) {
      const std::string log = container_log(api, service.container, "since=" + since + "&until=" + until);
      if (log.empty()) continue;
      std::string text;
      for (const std::string_view line : split(std::string_view(log), '\n'))
        if (!line.empty()) text += "[service " + service.image + "] " + std::string(line) + "\n";
      say(sink, text);
    }
    constexpr unsigned kPrivate = 0600;
    write_file_atomic(marker, until, kPrivate, false);
  } catch (const std::exception& error) {
    say(sink, std::string("WARNING: the logs of services cannot be read: ") + error.what());
  }
}

}  // namespace runner::executors
