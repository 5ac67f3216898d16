// `runner audit ...` against a server whose log somebody may have changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/storage/audit_chain.h"
#include "runner/storage/audit_record.h"
#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using storage::AuditHead;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TimePoint at(std::int64_t minutes) {
  return TimePoint(std::chrono::milliseconds(1'764'280'000'000 + minutes * 60'000));
}

struct AuditCommands : ::testing::Test {
  AuditCommands() {
    add({.at = at(0), .actor = "runner", .action = "server.started", .reason = "version 1"});
    add({.at = at(1),
         .actor = "ada",
         .role = "admin",
         .action = "user.changed",
         .object = "user eve",
         .before = "viewer",
         .after = "admin"});
    add({.at = at(2),
         .actor = "eve",
         .action = "access.denied",
         .object = "GET /x",
         .project = "shop",
         .environment = "production",
         .result = storage::AuditResult::deny,
         .reason = "\x1b[31mno"});
    serve();
  }
  void add(const storage::AuditRecord& record) {
    const std::int64_t seq = static_cast<std::int64_t>(lines.size()) + 1;
    const std::string text = canonical_record(record, seq), before = head.hash;
    head = {seq, storage::audit_hash(before, text)};
    lines.push_back(text.substr(0, text.size() - 1) + R"(,"hash":")" + head.hash + R"(","prev_hash":")" +
                    before + "\"}");
  }
  std::string page(std::vector<std::string> items) {
    std::string text;
    for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
    return R"({"items":[)" + text + R"(],"next":null})";
  }
  void serve() {
    server.on("GET /audit", 200, page(lines));
    server.on("GET /audit/checkpoint", 200, checkpoint());
  }
  std::string checkpoint() { return key.sign(head, at(60)); }
  void write_lines(const std::string& name) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    box.write(name, text);
  }

  Sandboxed box{"", false};
  FakeServer server{box.data()};
  const storage::AuditKey key{storage::Secret::copy_of(std::string(32, 'k'))};
  AuditHead head;
  std::vector<std::string> lines;
};

TEST_F(AuditCommands, ListShowsWhoDidWhatSafely) {
  const Ended ended = box.run({"audit", "list", "--project", "a b", "--result", "deny", "-n", "7"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.asked_what().back(), "GET /audit?limit=100&project=a b&result=deny");
  EXPECT_THAT(ended.out,
              AllOf(HasSubstr("ada     user.changed    user eve                   viewer -> admin"),
                    HasSubstr("2025-11-27T21:46:40Z  runner"), HasSubstr("shop/production"),
                    HasSubstr("denied: ?[31mno"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(box.run({"audit", "list", "--json"}).out, HasSubstr("\"actor\":\"ada\""));
}

TEST_F(AuditCommands, AWholeLogIsSaidToBe) {
  box.write("kept", "runner[7]: checkpoint " + checkpoint() + "\n\n");
  const Ended plain = box.run({"audit", "verify"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out, "the audit log is whole: 3 records, the last with the hash " + head.hash + "\n");
  EXPECT_THAT(plain.err, HasSubstr("whether its end was cut off, a chain does not show"));
  const Ended against = box.run({"audit", "verify", "--against", "kept"});
  EXPECT_EQ(against.code, 0) << against.err;
  EXPECT_THAT(against.out, HasSubstr("1 checkpoint agrees\n"));
  // As a log of JSON has it.
  std::string escaped = checkpoint();
  for (std::size_t at = 0; (at = escaped.find('"', at)) != std::string::npos; at += 2)
    escaped.insert(at, "\\");
  box.write("log", R"({"ts":"2026-01-01T00:00:00.000000Z","component":"audit","msg":"checkpoint )" + escaped +
                       "\"}\n");
  EXPECT_THAT(box.run({"audit", "verify", "--against", "log"}).out, HasSubstr("1 checkpoint agrees\n"));
  EXPECT_EQ(against.err, "");
  const Ended json = box.run({"audit", "verify", "--against", "kept", "--json"});
  EXPECT_EQ(json.out,
            R"({"ok":true,"records":3,"hash":")" + head.hash + "\",\"checkpoints\":1,\"problem\":\"\"}\n");
}

TEST_F(AuditCommands, AnExportIsVerifiedWithoutAServer) {
  const Ended exported = box.run({"audit", "export"});
  EXPECT_EQ(exported.code, 0) << exported.err;
  box.write("audit.jsonl", exported.out);
  box.write("kept", box.run({"audit", "checkpoint"}).out);
  const Ended ended = box.run(
      {"audit", "verify", "--file", "audit.jsonl", "--against", "kept", "--server", "http://127.0.0.1:1"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("3 records"));
  EXPECT_THAT(ended.err,
              HasSubstr("signed by the key " + key.public_key() + ": see that it is the server's"));
  EXPECT_EQ(box.run_bash("runner audit verify --file - < audit.jsonl").code, 0);
}

TEST_F(AuditCommands, WhatIsWrongIsNamed) {
  box.write("kept", checkpoint() + "\n");
  const auto good = lines;
  const AuditHead whole = head;
  struct Case {
    std::function<void()> tamper;
    const char* says;
  };
  const std::vector<Case> cases = {
      {[&] { lines[1].replace(lines[1].find("\"ada\""), 5, "\"bob\""); }, "record 2 was changed"},
      {[&] { lines.erase(lines.begin() + 1); }, "record 2 is missing: after 1 comes 3"},
      {[&] { lines.pop_back(); }, "the end is missing: the log has 2 records, and when the checkpoint of "},
      {[&] { lines.clear(); }, "the end is missing: the log has 0 records"},
      {[&] {
         lines.clear();
         head = {};
         add({.at = at(0), .actor = "runner", .action = "server.started"});
         add({.at = at(1), .actor = "mallory", .action = "user.changed"});
         add({.at = at(2), .actor = "mallory", .action = "user.changed"});
       },
       "record 3 is another one than when the checkpoint of"},
  };
  for (const Case& one : cases) {
    lines = good;
    head = whole;
    one.tamper();
    server.on("GET /audit", 200, page(lines));
    write_lines("audit.jsonl");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"audit", "verify", "--against", "kept"},
          std::vector<std::string>{"audit", "verify", "--against", "kept", "--file", "audit.jsonl"}}) {
      const Ended ended = box.run(words);
      EXPECT_EQ(ended.code, 1) << one.says;
      EXPECT_THAT(ended.err, HasSubstr(one.says));
      EXPECT_EQ(ended.out, "");
    }
    EXPECT_THAT(box.run({"audit", "verify", "--against", "kept", "--json"}).out,
                HasSubstr(R"({"ok":false,)"));
  }
}

TEST_F(AuditCommands, ASilenceOfHoursIsTold) {
  add({.at = at(200), .actor = "ada", .action = "user.created"});
  add({.at = at(201), .actor = "runner", .action = "server.stopped"});
  add({.at = at(900), .actor = "runner", .action = "server.started"});
  serve();
  const Ended ended = box.run({"audit", "verify"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("nothing was written between 2025-11-27T21:48:40.000Z and "
                                         "2025-11-28T01:06:40.000Z, before record 4"),
                               Not(HasSubstr("before record 6"))));
}

TEST_F(AuditCommands, WrongFilesAndWordsAreNamed) {
  box.write("none", "\n");
  box.write("bad", checkpoint() + "\n{\"seq\":1}\n");
  const std::vector<std::pair<std::vector<std::string>, const char*>> cases = {
      {{"audit", "verify", "--against", "none"}, "there is no checkpoint in 'none'"},
      {{"audit", "verify", "--against", "bad"}, "bad:2: this is no checkpoint of an audit log"},
      {{"audit", "verify", "--file", "-", "--against", "-"}, "cannot both be standard input"},
      {{"audit", "list", "--result", "no"}, "there are allow and deny"},
      {{"audit", "list", "-n", "0"}, "is no number of records"},
      {{"audit", "list", "shop"}, "unexpected argument 'shop'"},
  };
  for (const auto& [words, says] : cases) {
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2) << says;
    EXPECT_THAT(ended.err, HasSubstr(says));
  }
  EXPECT_EQ(box.run({"audit", "verify", "--file", "gone"}).code, 3);
}

}  // namespace
}  // namespace runner::cli
