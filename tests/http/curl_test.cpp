// The real curl and the real openssl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner/base/error.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Client;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ran;
using testing::run_command;

struct CurlTest : testing::ServerTest {
  Ran curl(const std::string& arguments) const {
    return run_command("curl -sS --noproxy '*' --max-time 60 " + arguments);
  }
  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(server->port()) + target;
  }
};

TEST_F(CurlTest, KeepsOneConnectionForManyRequests) {
  start();
  const Ran ran = curl("-w '%{num_connects} ' " + url("/hello") + " " + url("/fast") + " " + url("/hello"));
  EXPECT_EQ(ran.output, "hello\n1 fast0 hello\n0 ");
}

TEST_F(CurlTest, SendsBodiesOfEveryKind) {
  const std::string content(3'000'000, 'c');
  write_file_atomic(file, content, 0644, false);
  start();
  EXPECT_EQ(curl("-T " + file.string() + " " + url("/big")).output.size(), content.size());
  EXPECT_EQ(curl("-T - " + url("/big") + " < " + file.string()).output.size(), content.size());  // in chunks
  EXPECT_EQ(curl("-H 'Expect: 100-continue' -T " + file.string() + " " + url("/big")).output.size(),
            content.size());
  EXPECT_THAT(
      curl("-o /dev/null -w '%{http_code}' --data-binary @" + file.string() + " " + url("/echo")).output,
      HasSubstr("413"));
}

TEST_F(CurlTest, GoesOnWithADownload) {
  const std::string content = std::string(700'000, 'a') + std::string(300'000, 'b');
  write_file_atomic(file, content, 0644, false);
  start();
  const auto part = directory.path() / "part";
  write_file_atomic(part, content.substr(0, 600'000), 0644, false);
  EXPECT_EQ(curl("-C - -o " + part.string() + " " + url("/file")).code, 0);
  EXPECT_TRUE(read_file(part) == content);
}

TEST_F(CurlTest, IsServedManyTimesAtOnce) {
  start();
  std::string list;
  for (int i = 0; i < 64; ++i) list += "url=" + url("/parts/p" + std::to_string(i)) + "\noutput=/dev/null\n";
  write_file_atomic(directory.path() / "list", list, 0644, false);
  const Ran ran =
      curl("--stderr /dev/null -Z --parallel-max 64 --parallel-immediate -w '%{http_code}\\n' -K " +
           (directory.path() / "list").string());
  EXPECT_EQ(ran.code, 0) << ran.output;
  std::string expected;
  for (int i = 0; i < 64; ++i) expected += "200\n";
  EXPECT_EQ(ran.output, expected);
}

struct TlsTest : CurlTest {
  /// A new certificate for localhost and its key.
  TlsFiles certificate(const std::string& name, const std::string& organisation) const {
    const TlsFiles files{directory.path() / (name + ".crt"), directory.path() / (name + ".key")};
    const Ran ran = run_command(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/O=" +
        organisation + "/CN=localhost' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -out " +
        files.certificate_chain.string() + " -keyout " + files.private_key.string());
    EXPECT_EQ(ran.code, 0) << ran.output;
    return files;
  }
  void start_tls(Limits limits = {}) {
    ServerOptions options;
    options.tcp.push_back({.tls = certificate("a", "first")});
    options.tcp.push_back({});
    options.limits = limits;
    start(std::move(options));
  }
  std::string secure_url(const std::string& target) const {
    return "https://127.0.0.1:" + std::to_string(server->port()) + target;
  }
  std::string trusting(const std::string& name = "a") const {
    return "--cacert " + (directory.path() / (name + ".crt")).string() + " ";
  }
  Ran openssl(const std::string& arguments) const {
    return run_command("openssl s_client -connect 127.0.0.1:" + std::to_string(server->port()) + " " +
                       arguments + " </dev/null");
  }
};

TEST_F(TlsTest, IsSpokenBesidePlainHttp) {
  start_tls();
  const Ran ran =
      curl(trusting() + "-w ' %{num_connects}' " + secure_url("/peer") + " " + secure_url("/peer"));
  EXPECT_EQ(ran.output, "127.0.0.1 tls 1127.0.0.1 tls 0");
  Client plain = Client::tcp(server->port(1));
  plain.send(get("/peer"));
  EXPECT_EQ(plain.read_answer().body, "127.0.0.1");
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  const std::string content(5'000'000, 'c');
  write_file_atomic(file, content, 0644, false);
  start_tls();
  EXPECT_TRUE(curl(trusting() + secure_url("/file")).output == content);
  EXPECT_TRUE(curl(trusting() + "-T " + file.string() + " " + secure_url("/big")).output == content);
  EXPECT_THAT(curl(trusting() + "-o /dev/null -w '%{http_code}' --data-binary @" + file.string() + " " +
                   secure_url("/echo"))
                  .output,
              HasSubstr("413"));
}

TEST_F(TlsTest, StreamsUntilTheEnd) {
  stream_options.buffer_bytes = 8U << 20U;
  start_tls();
  std::thread writer([this] {
    StreamHandle handle = stream(0);
    for (int i = 0; i < 100; ++i) handle.write(std::string(10'000, 's'));
    handle.close();
  });
  EXPECT_EQ(curl(trusting() + secure_url("/stream")).output.size(), 1'000'000U);
  EXPECT_TRUE(eventually([&] { return server->stats().streams == 0; }));
  writer.join();
}

TEST_F(TlsTest, SpeaksNothingOlderThan12) {
  start_tls();
  EXPECT_THAT(openssl("-tls1_2").output, HasSubstr("Protocol  : TLSv1.2"));
  EXPECT_THAT(openssl("-tls1_3").output, HasSubstr("TLSv1.3"));
  EXPECT_NE(openssl("-tls1_1 -cipher DEFAULT@SECLEVEL=0").code, 0);
  EXPECT_THAT(openssl("-alpn h2,http/1.1").output, HasSubstr("ALPN protocol: http/1.1"));
}

TEST_F(TlsTest, TakesANewCertificateWithoutARestart) {
  start_tls();
  const TlsFiles next = certificate("b", "second");
  EXPECT_NE(curl(trusting("b") + secure_url("/hello")).code, 0);
  std::filesystem::rename(next.certificate_chain, directory.path() / "new.crt");
  std::filesystem::copy_file(directory.path() / "new.crt", directory.path() / "a.crt",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(server->reload_tls(), Error);  // the key is still the old one's
  EXPECT_THAT(openssl("").output, HasSubstr("O = first"));
  std::filesystem::copy_file(next.private_key, directory.path() / "a.key",
                             std::filesystem::copy_options::overwrite_existing);
  server->reload_tls();
  EXPECT_THAT(openssl("").output, HasSubstr("O = second"));
  EXPECT_EQ(curl(trusting("new") + secure_url("/hello")).output, "hello\n");
}

TEST_F(TlsTest, EndsHandshakesThatAreNone) {
  Limits limits;
  limits.header_timeout = std::chrono::milliseconds(200);
  start_tls(limits);
  Client plain = connect();
  plain.send(get("/hello"));
  EXPECT_THAT(plain.read_all(), Not(HasSubstr("200 OK")));
  Client silent = connect();
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
}

TEST_F(TlsTest, NamesTheFileThatCannotBeUsed) {
  const TlsFiles good = certificate("a", "first");
  const TlsFiles other = certificate("b", "second");
  write_file_atomic(directory.path() / "garbage", "no PEM", 0600, false);
  const TlsFiles wrongs[] = {{directory.path() / "missing", good.private_key},
                             {good.certificate_chain, directory.path() / "garbage"},
                             {good.certificate_chain, other.private_key}};
  for (const TlsFiles& wrong : wrongs) {
    ServerOptions options;
    options.tcp.push_back({.tls = wrong});
    try {
      const Server refused(std::move(options), Router());
      ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr(directory.path().string()));
    }
  }
}

}  // namespace
}  // namespace runner::http
