// `runner keys ...`: the keys that a server's secrets are sealed with.

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"
#include "runner/cli/client_times.h"
#include "runner/cli/commands.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

constexpr const char* kPath = "/keys";
constexpr std::chrono::milliseconds kPause{300};

struct KeysAnswer {
  std::vector<std::vector<std::string>> rows;
  bool renewing = false;
  std::int64_t renewed = 0;
  std::vector<std::string> failures;
  std::string sealing;
};

class KeysCommand {
 public:
  explicit KeysCommand(const KeyOptions& options) : options_(options), desk_(options.common) {}

  int run() {
    switch (options_.action) {
      case KeyAction::rotate:
        return rotate();
      case KeyAction::remove:
        desk_.ask("DELETE", std::string(kPath) + "/" + url_encode(options_.id));
        if (!options_.common.json) say("removed the data key " + printable(options_.id) + "\n");
        return exit_success;
      case KeyAction::list:
        break;
    }
    const std::string body = desk_.ask("GET", kPath);
    return tell(body, read(body));
  }

 private:
  KeysAnswer read(const std::string& body) const {
    KeysAnswer answer;
    const nlohmann::json document = parse_answer(body);
    const Reader reader(document, "data keys");
    reader.take("renewing", answer.renewing);
    reader.take("renewed", answer.renewed);
    reader.take("failures", answer.failures);
    reader.for_each("keys", [&](const nlohmann::json& item) {
      const Reader key(item, "data key");
      std::string id;
      bool seals = false;
      std::int64_t values = 0;
      std::optional<TimePoint> made;
      key.require("id");
      key.take("id", id);
      key.take("seals", seals);
      key.take("values", values);
      key.take("made_at", made);
      if (seals) answer.sealing = id;
      answer.rows.push_back({id, ago_text(made, desk_.clock()), std::to_string(values),
                             seals        ? "seals"
                             : values > 0 ? "needed"
                                          : "not needed"});
    });
    return answer;
  }

  int tell(const std::string& body, const KeysAnswer& answer) const {
    if (options_.common.json) {
      say(clean_json(body) + "\n");
    } else {
      say(table_text(desk_.screen(), {{"ID"}, {"MADE"}, {"VALUES", Column::Align::right}, {"STATE"}},
                     answer.rows));
      if (answer.renewing)
        print_notice("values are being given the newest key: " + std::to_string(answer.renewed) +
                     " have it so far");
    }
    for (const std::string& failure : answer.failures) print_notice(printable(failure));
    return exit_success;
  }

  int rotate() {
    std::string body = desk_.ask("POST", std::string(kPath) + "/rotate");
    KeysAnswer answer = read(body);
    if (!options_.common.json)
      say("all is sealed with the data key " + printable(answer.sealing) + " from now on\n");
    while (options_.wait && answer.renewing) {
      std::this_thread::sleep_for(kPause);
      body = desk_.ask("GET", kPath);
      answer = read(body);
    }
    if (!options_.common.json && options_.wait) say(std::to_string(answer.renewed) + " values have it now\n");
    tell(body, answer);
    return options_.wait && !answer.failures.empty() ? exit_failed : exit_success;
  }

  const KeyOptions& options_;
  ClientDesk desk_;
};

}  // namespace

int run_keys(const KeyOptions& options) {
  return KeysCommand(options).run();
}

}  // namespace runner::cli
