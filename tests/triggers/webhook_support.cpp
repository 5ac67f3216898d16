#include "tests/triggers/webhook_support.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/triggers/form.h"
#include "runner/triggers/signature.h"
#include "tests/support/source_dir.h"

namespace runner::test {
namespace {

using triggers::Forge;

std::filesystem::path directory() {
  return source_dir() / "tests/triggers/payloads";
}

std::string to_hex(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(byte)));
    hex += digits.data();
  }
  return hex;
}

Forge forge_of(const std::string& name) {
  for (const Forge forge : {Forge::github, Forge::gitlab, Forge::gitea, Forge::forgejo,
                            Forge::bitbucket_cloud, Forge::bitbucket_server, Forge::plain}) {
    if (name.starts_with(std::string(to_string(forge)) + "_")) return forge;
  }
  throw std::runtime_error("no forge sends '" + name + "'");
}

std::string_view name_of(triggers::MergeRequestHint::Action action) {
  constexpr std::array<std::string_view, 5> kNames = {"opened", "updated", "merged", "closed", "other"};
  return kNames.at(static_cast<std::size_t>(action));
}

std::string or_none(const std::string& text) {
  return text.empty() ? "-" : text;
}

}  // namespace

std::string Recorded::header(const std::string& name) const {
  for (const auto& [each, value] : headers) {
    if (to_lower(each) == to_lower(name)) return value;
  }
  return {};
}

void Recorded::set(const std::string& name, const std::string& value) {
  remove(name);
  headers.emplace_back(name, value);
}

void Recorded::remove(const std::string& name) {
  std::erase_if(headers, [&name](const auto& each) { return to_lower(each.first) == to_lower(name); });
}

std::vector<std::string> recorded_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    if (entry.path().extension() == ".http") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Recorded read_recorded(const std::string& name) {
  const std::string text = read_file(directory() / (name + ".http")).value();
  const auto end = text.find("\n\n");
  Recorded recorded;
  recorded.forge = forge_of(name);
  recorded.body = trim(std::string_view(text).substr(end + 2));
  for (const std::string_view line : split(std::string_view(text).substr(0, end), '\n')) {
    const auto colon = line.find(": ");
    recorded.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return recorded;
}

std::string signed_text(const Recorded& recorded) {
  if (recorded.forge == Forge::plain) return recorded.header("X-Runner-Timestamp") + "." + recorded.body;
  const bool content = recorded.forge == Forge::gitea || recorded.forge == Forge::forgejo;
  if (content && triggers::is_form(recorded.header("Content-Type")))
    return triggers::form_field(recorded.body, "payload").value_or("");
  return recorded.body;
}

void sign_with(Recorded& recorded, const std::string& hex_digest) {
  switch (recorded.forge) {
    case Forge::github:
      recorded.set("X-Hub-Signature-256", "sha256=" + hex_digest);
      break;
    case Forge::gitlab:
      break;  // sends the secret itself
    case Forge::forgejo:
      recorded.set("X-Forgejo-Signature", hex_digest);
      [[fallthrough]];
    case Forge::gitea:
      recorded.set("X-Gitea-Signature", hex_digest);
      recorded.set("X-Gogs-Signature", hex_digest);
      recorded.set("X-Hub-Signature-256", "sha256=" + hex_digest);
      break;
    case Forge::bitbucket_cloud:
    case Forge::bitbucket_server:
      recorded.set("X-Hub-Signature", "sha256=" + hex_digest);
      break;
    case Forge::plain:
      recorded.set("X-Runner-Signature", "sha256=" + hex_digest);
      break;
  }
}

void sign(Recorded& recorded, const std::string& secret) {
  if (recorded.forge == Forge::gitlab) recorded.set("X-Gitlab-Token", secret);
  sign_with(recorded, to_hex(triggers::hmac_sha256(secret, {signed_text(recorded)})));
}

std::string openssl_hmac(const std::string& key, const std::string& text) {
  const TempDir dir;
  const auto file = dir.path() / "text";
  write_file_atomic(file, text, 0644, false);
  const std::string command =
      "openssl dgst -sha256 -mac HMAC -macopt hexkey:" + to_hex(key) + " -r " + shell_quote(file.string());
  FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return {};
  std::array<char, 512> line{};
  const char* got = std::fgets(line.data(), static_cast<int>(line.size()), pipe);
  const int status = pclose(pipe);
  return got != nullptr && status == 0 ? std::string(line.data()).substr(0, 64) : std::string();
}

TimePoint recorded_time() {
  return TimePoint(std::chrono::seconds(1'771'844'400));
}

std::variant<triggers::VerifiedDelivery, triggers::WebhookProblem> verify(const Recorded& recorded,
                                                                          const std::string& secret,
                                                                          TimePoint now) {
  // The views of a verified delivery outlive this call, so the array of headers has to as well.
  static thread_local std::vector<triggers::Header> views;
  views.clear();
  for (const auto& [name, value] : recorded.headers) views.push_back({name, value});
  return triggers::verify_webhook({views, recorded.body}, secret, now);
}

std::string outcome(const Recorded& recorded, const std::string& secret, TimePoint now) {
  const auto verified = verify(recorded, secret, now);
  if (const auto* problem = std::get_if<triggers::WebhookProblem>(&verified)) return describe(*problem);
  const auto parsed = triggers::parse_webhook(std::get<triggers::VerifiedDelivery>(verified));
  if (const auto* problem = std::get_if<triggers::WebhookProblem>(&parsed)) return describe(*problem);
  return "ok\n" + describe(std::get<triggers::Hint>(parsed));
}

std::string describe(const triggers::Hint& hint) {
  std::string text = "forge: " + std::string(to_string(hint.forge)) +
                     "\nevent: " + std::string(to_string(hint.event)) +
                     "\ndelivery: " + (hint.delivery_id == hint.body_digest ? "DIGEST" : hint.delivery_id) +
                     "\nuser: " + or_none(hint.user) + "\nhead: " + or_none(hint.head_commit) + "\n";
  for (const auto& ref : hint.refs) {
    text += "ref: " + ref.ref + " " + or_none(ref.before) + " -> " + or_none(ref.after) +
            (ref.created ? " created" : "") + (ref.deleted ? " deleted" : "") + "\n";
  }
  if (hint.merge_request) {
    text += "merge request: " + std::to_string(hint.merge_request->number) + " " +
            std::string(name_of(hint.merge_request->action)) + " " + hint.merge_request->source_branch +
            " -> " + hint.merge_request->target_branch +
            (hint.merge_request->from_fork ? " from a fork" : "") + "\n";
  }
  return text;
}

std::string describe(const triggers::WebhookProblem& problem) {
  constexpr std::array<std::string_view, 7> kReasons = {"no_secret", "too_large", "not_signed", "malformed",
                                                        "forged",    "stale",     "bad_payload"};
  return std::string(kReasons.at(static_cast<std::size_t>(problem.reason))) + ": " + problem.message +
         (problem.help.empty() ? "" : " (" + problem.help + ")");
}

}  // namespace runner::test
