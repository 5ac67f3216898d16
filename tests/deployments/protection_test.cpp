#include "deployments/protection.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using testing::HasSubstr;

constexpr const char* kProduction = R"({
  "refs": ["main", "release/*"],
  "deployers": ["role:admin", "group:release"],
  "approvals": {
    "rules": [{"name": "peers", "count": 2, "who": ["role:developer"]}, {"who": ["group:ops"]}],
    "exclude_commit_authors": true, "expires_after": "24h", "reapprove_after": "72h", "start": "manual",
    "break_glass": {"who": ["role:admin"], "reason": "required"}
  },
  "rollback": {"who": ["permission:rollback"], "approvals": 1},
  "queue": "fifo", "refuse_older": false,
  "freeze": [{"from": "Fri 16:00", "to": "Mon 07:00", "tz": "Europe/Berlin"}],
  "wait": "10 minutes", "secrets": "production"
})";

TEST(Protection, IsReadAndWrittenWithoutALoss) {
  const Protection read = parse_protection(kProduction);
  EXPECT_EQ(read.rules.size(), 2U);
  EXPECT_EQ(read.rules[1].name, "group:ops");
  EXPECT_EQ(read.expires_after, std::chrono::hours(24));
  EXPECT_EQ(read.queue, QueueMode::fifo);
  EXPECT_EQ(protection_text(parse_protection(protection_text(read))), protection_text(read));
  EXPECT_EQ(protection_text(parse_protection("")), "{}");
}

TEST(Protection, MistakesAreNamed) {
  for (const auto& [text, problem] : std::vector<std::pair<const char*, const char*>>{
           {"{", "protection: it is no JSON"},
           {"[]", "expected a mapping"},
           {R"({"aprovals": {}})", "aprovals: there is no such key; did you mean 'approvals'?"},
           {R"({"refs": 3})", "refs: expected a list of texts"},
           {R"({"deployers": ["ada"]})", "deployers: 'ada' is nobody: write user:NAME"},
           {R"({"approvals": {"rules": [{"name": "x"}]}})", "a rule needs `who`"},
           {R"({"approvals": {"rules": [{"who": []}]}})", "nobody could ever agree"},
           {R"({"approvals": {"rules": [{"who": ["user:a"], "count": 0}]}})", "expected a number from 1"},
           {R"({"approvals": {"expires_after": "soon"}})", "'soon' is no duration"},
           {R"({"approvals": {"break_glass": {"reason": "optional"}}})", "it is always required"},
           {R"({"queue": "lifo"})", "expected latest, fifo or manual"},
           {R"({"rollback": {"approvals": 1}})", "there are no approval rules"},
           {R"({"freeze": [{"from": "Fri 16:00"}]})", "a window needs from and to"},
           {R"({"freeze": [{"from": "Freitag 16:00", "to": "Mon 07:00"}]})", "'Freitag 16:00' is no time"},
           {R"({"freeze": [{"from": "Fri 16:00", "to": "2026-12-01 07:00"}]})", "both are days"},
           {R"({"freeze": [{"from": "Fri 16:60", "to": "Mon 07:00"}]})", "is no time"},
           {R"({"freeze": [{"from": "2026-02-30 10:00", "to": "2026-03-01 07:00"}]})", "is no time"},
           {R"({"freeze": [{"from": "Fri 16:00", "to": "Mon 07:00", "tz": "Mars/Olympus"}]})",
            "Mars/Olympus"}}) {
    try {
      parse_protection(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_THAT(std::string(error.what()), HasSubstr(problem)) << text;
    }
  }
}

TEST(Protection, RefsAreGlobs) {
  const Protection protection = parse_protection(R"({"refs": ["main", "release/*"]})");
  EXPECT_TRUE(allows_ref(protection, "main"));
  EXPECT_TRUE(allows_ref(protection, "release/1"));
  EXPECT_FALSE(allows_ref(protection, "maintenance"));
  EXPECT_FALSE(allows_ref(protection, "feature/main"));
  EXPECT_TRUE(allows_ref(Protection{}, "anything"));
}

TEST(Protection, ARoleIsThatRoleAndThoseAboveIt) {
  for (const auto& [wanted, roles] : std::map<std::string, std::set<std::string>>{
           {"viewer", {"viewer", "developer", "maintainer", "admin"}},
           {"developer", {"developer", "maintainer", "admin"}},
           {"admin", {"admin"}},
           {"guest", {"guest"}}}) {
    for (const char* role : {"viewer", "developer", "maintainer", "admin", "guest", ""}) {
      Person person;
      person.role = role;
      EXPECT_EQ(matches({{Who::Kind::role, wanted}}, person), roles.count(role) > 0) << wanted << " " << role;
      person.enabled = false;
      EXPECT_FALSE(matches({{Who::Kind::role, wanted}}, person));
    }
  }
}

std::optional<std::string> until(const std::vector<FreezeWindow>& windows, std::chrono::sys_seconds now) {
  const auto end = frozen_until(windows, TimePoint(now));
  if (!end) return std::nullopt;
  return format_iso8601(*end);
}

TEST(Freeze, OpensAtTheRightInstantAcrossAChangeOfClocks) {
  using namespace std::chrono;
  const std::vector<FreezeWindow> weekend = {{"Fri 16:00", "Mon 07:00", "Europe/Berlin"}};
  // UTC times. 2026-10-25 clocks go back, 2026-03-29 forward.
  const sys_days october23 = 2026y / October / 23, march27 = 2026y / March / 27;
  EXPECT_EQ(until(weekend, october23 + 13h + 59min), std::nullopt);
  EXPECT_EQ(until(weekend, october23 + 14h), "2026-10-26T06:00:00Z");
  EXPECT_EQ(until(weekend, october23 + days(2) + 12h), "2026-10-26T06:00:00Z");
  EXPECT_EQ(until(weekend, october23 + days(3) + 5h + 59min + 59s), "2026-10-26T06:00:00Z");
  EXPECT_EQ(until(weekend, october23 + days(3) + 6h), std::nullopt);
  EXPECT_EQ(until(weekend, march27 + 15h), "2026-03-30T05:00:00Z");
  EXPECT_EQ(until(weekend, march27 + days(3) + 5h), std::nullopt);
}

TEST(Freeze, TimesThatAreThereTwiceOrNeverAreOnTheSafeSide) {
  using namespace std::chrono;
  // 02:30 is there twice on 2026-10-25 (00:30 and 01:30 UTC), and never on 2026-03-29.
  const std::vector<FreezeWindow> ends = {{"2026-10-25 01:00", "2026-10-25 02:30", "Europe/Berlin"}};
  EXPECT_EQ(until(ends, sys_days(2026y / October / 25) + 1h), "2026-10-25T01:30:00Z");
  const std::vector<FreezeWindow> begins = {{"2026-10-25 02:30", "2026-10-25 04:00", "Europe/Berlin"}};
  EXPECT_EQ(until(begins, sys_days(2026y / October / 25) + 30min), "2026-10-25T03:00:00Z");
  const std::vector<FreezeWindow> skipped = {{"2026-03-29 01:00", "2026-03-29 02:30", "Europe/Berlin"}};
  EXPECT_EQ(until(skipped, sys_days(2026y / March / 29) + 30min), "2026-03-29T01:00:00Z");
}

TEST(Freeze, WindowsThatTouchAreOne) {
  using namespace std::chrono;
  const std::vector<FreezeWindow> windows = {{"Fri 16:00", "Sat 24:00", "UTC"},
                                             {"Sun 00:00", "Mon 07:00", "UTC"}};
  EXPECT_EQ(until(windows, sys_days(2026y / November / 27) + 16h), "2026-11-30T07:00:00Z");
  EXPECT_EQ(until({}, sys_days(2026y / November / 27)), std::nullopt);
}

TEST(Freeze, AllTheWeekIsForALongTime) {
  const std::vector<FreezeWindow> always = {{"Mon 00:00", "Mon 00:00", "UTC"}};
  EXPECT_GT(frozen_until(always, TimePoint{}).value(), TimePoint(std::chrono::hours(24 * 365)));
}

}  // namespace
}  // namespace runner::deployments
