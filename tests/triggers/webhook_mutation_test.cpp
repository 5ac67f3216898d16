// Every payload with every one of its values dropped, or replaced by another kind of value: each ends in a
// hint whose parts are well-formed, or in an error that says why. What is read is replaced by all values, the
// rest by a few.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "runner/triggers/form.h"
#include "runner/triggers/ref_name.h"
#include "tests/triggers/webhook_support.h"

namespace runner::test {
namespace {

using nlohmann::json;

const std::vector<json>& other_values() {
  static const std::vector<json> values = {nullptr,
                                           true,
                                           0,
                                           -1,
                                           1,
                                           UINT64_MAX,
                                           1.5,
                                           "",
                                           "x",
                                           "../x",
                                           "refs/heads/",
                                           std::string(40, '0'),
                                           std::string(300, 'a'),
                                           std::string("\0\n\x1b", 3),
                                           json::array(),
                                           json::object(),
                                           json::array({json::array()}),
                                           json::object({{"id", 1}})};
  return values;
}

bool is_id(const std::string& id) {
  return (id.size() == 40 || id.size() == 64) &&
         id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void expect_fine(const Recorded& recorded, const std::string& what) {
  const auto verified = verify(recorded);
  ASSERT_TRUE(std::holds_alternative<triggers::VerifiedDelivery>(verified)) << what;
  const auto parsed = triggers::parse_webhook(std::get<triggers::VerifiedDelivery>(verified));
  if (const auto* problem = std::get_if<triggers::WebhookProblem>(&parsed)) {
    EXPECT_FALSE(problem->message.empty()) << what;
    EXPECT_LT(problem->message.size(), 500U) << what;
    return;
  }
  const auto& hint = std::get<triggers::Hint>(parsed);
  EXPECT_FALSE(hint.delivery_id.empty()) << what;
  EXPECT_TRUE(hint.head_commit.empty() || is_id(hint.head_commit)) << what;
  for (const auto& ref : hint.refs) {
    EXPECT_TRUE(triggers::is_ref_name(ref.ref)) << what << ": " << ref.ref;
    EXPECT_TRUE(ref.before.empty() || is_id(ref.before)) << what;
    EXPECT_TRUE(ref.after.empty() || is_id(ref.after)) << what;
    EXPECT_FALSE(ref.created && ref.deleted) << what;
  }
  EXPECT_EQ(hint.event == triggers::HintEvent::merge_request, hint.merge_request.has_value()) << what;
  if (!hint.merge_request) return;
  EXPECT_GT(hint.merge_request->number, 0) << what;
  EXPECT_TRUE(triggers::is_ref_name("refs/heads/" + hint.merge_request->source_branch)) << what;
  EXPECT_TRUE(triggers::is_ref_name("refs/heads/" + hint.merge_request->target_branch)) << what;
}

class MutatedWebhook : public testing::TestWithParam<std::string> {};

TEST_P(MutatedWebhook, EndsInAHintOrAnError) {
  Recorded recorded = read_recorded(GetParam());
  if (triggers::is_form(recorded.header("Content-Type"))) {
    recorded.body = triggers::form_field(recorded.body, "payload").value();
    recorded.set("Content-Type", "application/json");
  }
  const json original = json::parse(recorded.body);
  const json flat = original.flatten();
  int count = 0;
  const auto attempt = [&](const json& payload, const std::string& what) {
    recorded.body = payload.dump();
    sign(recorded);
    expect_fine(recorded, what);
    ++count;
  };
  // All places: the leaves, and what is around them.
  std::set<std::string> places;
  for (const auto& [leaf, value] : flat.items()) {
    for (auto end = leaf.size(); end != std::string::npos && end > 0; end = leaf.rfind('/', end - 1)) {
      places.insert(leaf.substr(0, end));
    }
  }
  sign(recorded);
  const std::string whole = outcome(recorded);
  std::mt19937 random(4711);
  for (const std::string& place : places) {
    const json::json_pointer pointer(place);
    json payload = original;
    json& around = payload[pointer.parent_pointer()];
    if (around.is_object()) {
      around.erase(pointer.back());
    } else {
      around.erase(std::stoul(pointer.back()));
    }
    attempt(payload, place + " dropped");
    const bool read = outcome(recorded) != whole;
    for (const json& value : other_values()) {
      if (!read && random() % 16 != 0) continue;
      payload = original;
      payload[pointer] = value;
      attempt(payload, place + " = " + value.dump());
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(count, 0);
}

INSTANTIATE_TEST_SUITE_P(Payloads, MutatedWebhook, testing::ValuesIn(recorded_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace runner::test
