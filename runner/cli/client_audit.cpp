// `runner audit ...`: who did what on a server, and whether the record of it is the one that was written.

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"
#include "runner/storage/audit_chain.h"

namespace runner::cli {
namespace {

using storage::AuditChain;
using storage::AuditCheckpoint;

constexpr const char* kPath = "/audit";
constexpr std::size_t kMostPages = 10'000'000;
// The server writes each hour.
constexpr std::chrono::hours kSilence{2};

/// One line of a file or of standard input after the other.
void each_line(const std::filesystem::path& path, const std::function<void(const std::string&)>& take) {
  std::ifstream in(path == "-" ? std::filesystem::path("/dev/stdin") : path);
  if (!in) throw_errno("cannot open " + in_quotes(path.native()));
  for (std::string line; std::getline(in, line);) take(line);
  if (in.bad()) throw_errno("cannot read " + in_quotes(path.native()));
}

/// The checkpoint in a line: the line itself, or the message of a server's log in either of its forms.
std::string checkpoint_in(const std::string& line) {
  const std::size_t begin = line.find('{');
  std::string text = begin == std::string::npos ? line : line.substr(begin);
  const nlohmann::json record = nlohmann::json::parse(text, nullptr, false);
  if (record.is_object() && record.contains("msg") && record["msg"].is_string()) {
    const std::string message = record["msg"];
    if (const std::size_t at = message.find('{'); at != std::string::npos) text = message.substr(at);
  }
  return text;
}

/// Those of a file, by the number of their record.
std::multimap<std::int64_t, AuditCheckpoint> checkpoints_of(const std::filesystem::path& path) {
  std::multimap<std::int64_t, AuditCheckpoint> found;
  std::int64_t number = 0;
  each_line(path, [&](const std::string& line) {
    ++number;
    if (trim(line).empty()) return;
    try {
      AuditCheckpoint one = storage::read_checkpoint(checkpoint_in(line));
      found.emplace(one.head.seq, std::move(one));
    } catch (Error& error) {
      error.add_context(path.native() + ":" + std::to_string(number));
      throw;
    }
  });
  if (found.empty())
    throw Error(ErrorCode::invalid_input, "there is no checkpoint in " + in_quotes(path.native()));
  return found;
}

/// Follows a log to its end, or to the first thing that is wrong.
class Verifier {
 public:
  explicit Verifier(std::multimap<std::int64_t, AuditCheckpoint> checkpoints)
      : checkpoints_(std::move(checkpoints)) {}

  /// False when something is wrong, and no more need come.
  bool take(const std::string& line) {
    const std::string time = chain_.time(), action = chain_.action();
    if (const auto wrong = chain_.add(line)) {
      problem_ = *wrong;
      return false;
    }
    look_for_silence(time, action);
    const auto [begin, end] = checkpoints_.equal_range(chain_.head().seq);
    for (auto at = begin; at != end; ++at) {
      if (at->second.head != chain_.head()) {
        problem_ = "record " + std::to_string(chain_.head().seq) +
                   " is another one than when the checkpoint of " + at->second.at +
                   " was made: it, or one before it, was written anew";
        return false;
      }
      ++agreed_;
    }
    return true;
  }

  /// At the end. Empty: all is well.
  const std::string& finish() {
    if (!problem_.empty() || checkpoints_.empty()) return problem_;
    const AuditCheckpoint& last = checkpoints_.rbegin()->second;
    if (last.head.seq > chain_.head().seq)
      problem_ = "the end is missing: the log has " + std::to_string(chain_.head().seq) +
                 " records, and when the checkpoint of " + last.at + " was made it had " +
                 std::to_string(last.head.seq);
    return problem_;
  }

  const storage::AuditHead& head() const { return chain_.head(); }
  std::size_t agreed() const { return agreed_; }
  const std::vector<std::string>& silences() const { return silences_; }
  /// Of those that signed checkpoints, all that are not this one.
  std::vector<std::string> strange_keys(const std::string& known) const {
    std::vector<std::string> keys;
    for (const auto& [seq, one] : checkpoints_)
      if (one.key != known && std::find(keys.begin(), keys.end(), one.key) == keys.end())
        keys.push_back(one.key);
    return keys;
  }

 private:
  void look_for_silence(const std::string& time, const std::string& action) {
    if (action.empty() || action == "server.stopped" || chain_.action() == "server.started") return;
    const auto before = parse_moment(time), now = parse_moment(chain_.time());
    if (before && now && *now - *before > kSilence)
      silences_.push_back("nothing was written between " + time + " and " + chain_.time() +
                          ", before record " + std::to_string(chain_.head().seq));
  }

  const std::multimap<std::int64_t, AuditCheckpoint> checkpoints_;
  AuditChain chain_;
  std::string problem_;
  std::size_t agreed_ = 0;
  std::vector<std::string> silences_;
};

class AuditCommand {
 public:
  explicit AuditCommand(const AuditOptions& options) : options_(options) {
    if (options.file.empty()) desk_.emplace(options.common);
  }

  int run() {
    switch (options_.action) {
      case AuditAction::export_all:
        each_record([](const std::string& line) {
          say(line + "\n");
          return true;
        });
        return exit_success;
      case AuditAction::checkpoint:
        say(clean_json(desk_->ask("GET", std::string(kPath) + "/checkpoint")) + "\n");
        return exit_success;
      case AuditAction::verify:
        return verify();
      case AuditAction::list:
        break;
    }
    return list();
  }

 private:
  void each_record(const std::function<bool(const std::string&)>& take) {
    desk_->each_page(
        std::string(kPath) + "?sort=asc",
        [&](const std::string& page) {
          const auto items = clean_items(page);
          return std::all_of(items.begin(), items.end(), take);
        },
        kMostPages);
  }

  int list() {
    std::string path = kPath;
    const auto must = [&](const char* name, const std::string& value) {
      if (!value.empty())
        path +=
            (path.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" + url_encode(value);
    };
    must("actor", options_.actor);
    must("action", options_.kind);
    must("project", options_.project);
    must("environment", options_.environment);
    must("result", options_.result);
    if (options_.common.json) {
      say(desk_->all_items(path, options_.limit) + "\n");
      return exit_success;
    }
    std::vector<std::vector<std::string>> rows;
    desk_->each_page(path, [&](const std::string& page) {
      const nlohmann::json document = parse_answer(page);
      Reader(document, "list").for_each("items", [&](const nlohmann::json& item) {
        if (rows.size() < options_.limit) rows.push_back(row_of(item));
      });
      return rows.size() < options_.limit;
    });
    if (rows.empty()) print_notice("there is no such record");
    say(table_text(
        desk_->screen(),
        {{"NUMBER", Column::Align::right}, {"TIME"}, {"WHO"}, {"ACTION"}, {"WHAT"}, {"WHERE"}, {"MORE"}},
        rows));
    return exit_success;
  }

  static std::vector<std::string> row_of(const nlohmann::json& item) {
    const Reader reader(item, "audit record");
    std::int64_t seq = 0;
    std::string at, actor, action, object, project, environment, result, reason, before, after;
    for (const char* name : {"seq", "at", "action", "result"}) reader.require(name);
    reader.take("seq", seq);
    reader.take("at", at);
    reader.take("actor", actor);
    reader.take("action", action);
    reader.take("object", object);
    reader.take("project", project);
    reader.take("environment", environment);
    reader.take("result", result);
    reader.take("reason", reason);
    reader.take("before", before);
    reader.take("after", after);
    std::vector<std::string> more;
    if (result == "deny") more.emplace_back("denied");
    // Digests are for programs.
    if (!after.empty() && after.find(':') == std::string::npos)
      more.push_back(before.empty() ? after : before + " -> " + after);
    if (!reason.empty()) more.push_back(reason);
    return {std::to_string(seq),
            at.substr(0, at.find('.')) + "Z",
            actor.empty() ? "-" : actor,
            action,
            object,
            environment.empty() ? project : project + "/" + environment,
            join(more, ": ")};
  }

  int verify() {
    Verifier verifier(options_.against.empty() ? std::multimap<std::int64_t, AuditCheckpoint>()
                                               : checkpoints_of(options_.against));
    std::string known;
    bool good = true;
    if (options_.file.empty()) {
      const nlohmann::json now = parse_answer(desk_->ask("GET", std::string(kPath) + "/checkpoint"));
      Reader(now, "checkpoint").take("key", known);
      each_record([&](const std::string& line) { return verifier.take(line); });
    } else {
      each_line(options_.file, [&](const std::string& line) {
        if (good && !trim(line).empty()) good = verifier.take(line);
      });
    }
    const std::string problem = verifier.finish();
    for (const std::string& silence : verifier.silences()) print_notice(silence);
    if (options_.common.json) {
      JsonWriter json(say);
      json.begin_object().member("ok", problem.empty()).member("records", verifier.head().seq);
      json.member("hash", verifier.head().hash).member("checkpoints", verifier.agreed());
      json.member("problem", problem).end_object().flush();
      say("\n");
    }
    if (!problem.empty())
      throw Refused(
          exit_failed, "the audit log is not what was written: " + printable(problem),
          "what comes from there on proves nothing; compare it with an export or a backup of before");
    if (options_.common.json) return exit_success;
    say("the audit log is whole: " + format_count(static_cast<std::size_t>(verifier.head().seq), "record") +
        ", the last with the hash " + verifier.head().hash + "\n");
    tell_checkpoints(verifier, known);
    return exit_success;
  }

  void tell_checkpoints(const Verifier& verifier, const std::string& known) const {
    if (options_.against.empty()) {
      print_notice(
          "whether its end was cut off, a chain does not show: keep what 'runner audit checkpoint' prints "
          "elsewhere, and give it with --against");
      return;
    }
    say(format_count(verifier.agreed(), "checkpoint") + (verifier.agreed() == 1 ? " agrees" : " agree") +
        "\n");
    for (const std::string& key : verifier.strange_keys(known))
      print_notice("one is signed by the key " + printable(key) +
                   (known.empty() ? ": see that it is the server's" : ", which is not the server's now"));
  }

  const AuditOptions& options_;
  std::optional<ClientDesk> desk_;  // nullopt: no server is asked
};

}  // namespace

int run_audit(const AuditOptions& options) {
  return AuditCommand(options).run();
}

}  // namespace runner::cli
