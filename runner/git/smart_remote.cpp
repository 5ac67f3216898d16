#include "runner/git/smart_remote.h"

#include <git2.h>
#include <git2/sys/transport.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace {

/// A negotiation names commits; libgit2 1.5 stops after a few hundred for each branch.
constexpr std::size_t kLongestRequest = 16U << 20U;
constexpr std::string_view kPeeled = "^{}";

struct RemoteFree {
  void operator()(git_remote* remote) const noexcept {
    git_remote_disconnect(remote);
    git_remote_free(remote);
  }
};

}  // namespace

struct SmartRemote::Impl {
  /// What libgit2 calls. First member: the struct it knows.
  struct Stream {
    git_smart_subtransport_stream base{};
    Impl* owner = nullptr;
  };
  struct Subtransport {
    git_smart_subtransport base{};
    Impl* owner = nullptr;
  };

  Impl(git_repository* repository, const RemoteUrl& address, const RemoteAccess& who, Patience& how_long)
      : into(repository), url(address), patience(how_long) {
    subtransport.owner = stream.owner = this;
    subtransport.base = {&Impl::on_action, &Impl::on_close, &Impl::on_free};
    stream.base = {&subtransport.base, &Impl::on_read, &Impl::on_write, &Impl::on_free_stream};
    git_remote_init_callbacks(&callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    callbacks.payload = this;
    callbacks.transfer_progress = &Impl::on_progress;
    if (url.scheme == Scheme::local) return;
    callbacks.transport = &Impl::on_transport;
    from = make_upload_pack(url, who, patience);
  }

  void connect() {
    git_remote_create_options options = GIT_REMOTE_CREATE_OPTIONS_INIT;
    options.repository = into;
    options.flags = GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC | GIT_REMOTE_CREATE_SKIP_INSTEADOF;
    git_remote* made = nullptr;
    const std::string& address = url.scheme == Scheme::local ? url.path : url.shown;
    const int result = git_remote_create_with_opts(&made, address.c_str(), &options);
    remote.reset(made);
    step(result);
    step(git_remote_connect(remote.get(), GIT_DIRECTION_FETCH, &callbacks, nullptr, nullptr));
  }

  void step(int result) const {
    if (thrown) std::rethrow_exception(thrown);
    if (result >= 0) return;
    const git_error* error = git_error_last();
    const int kind = error != nullptr ? error->klass : GIT_ERROR_NONE;
    const std::string reason = mask_urls(to_utf8(last_message()));
    if (listed.find("object-format=sha256") != std::string::npos) {
      throw Error(ErrorCode::invalid_input,
                  "the repository names its objects by SHA-256, which libgit2 1.5 cannot read; use a "
                  "repository that was made with --object-format=sha1");
    }
    if (listed.find("0035shallow ") != std::string::npos) {
      throw Error(ErrorCode::invalid_input,
                  "the history of the repository is cut off there, and such ones are fetched by their path "
                  "only; make it whole by 'git fetch --unshallow' there");
    }
    if (kind == GIT_ERROR_OS || kind == GIT_ERROR_FILESYSTEM || kind == GIT_ERROR_NOMEMORY) {
      throw Error(ErrorCode::unavailable, "the pack cannot be stored: " + reason +
                                              "; check the space and the rights of the data directory");
    }
    throw Error(ErrorCode::unavailable, "the server's answer cannot be understood: " + reason +
                                            "; check the address, and by 'git fsck' the repository there");
  }

  std::size_t read(char* buffer, std::size_t size) {
    if (!unsent.empty()) {
      from->send(unsent);
      unsent.clear();
    }
    const std::size_t got = from->read_some(buffer, size);
    if (got == 0) {
      from->explain_end();
      throw Error(ErrorCode::unavailable,
                  "the server closed the connection in the middle of its answer; it may be tried again, look "
                  "at the server's log");
    }
    received += got;
    if (listing) listed.assign(buffer, got);
    limit(received);
    // libgit2 tells of objects only, and of none while one big object arrives.
    if (progress) progress({received, objects, all_objects});
    return got;
  }

  void limit(std::uint64_t bytes) const {
    const std::uint64_t most = listing ? patience.limits().ref_bytes : patience.limits().pack_bytes;
    if (bytes <= most) return;
    throw Error(ErrorCode::invalid_input, "the server sends more than " + format_bytes(most) +
                                              ", the limit; raise it, or have refs removed there");
  }

  void write(std::string_view bytes) {
    // Sent when the answer is asked for: over http it must be one request.
    if (unsent.size() + bytes.size() > kLongestRequest)
      throw Error(ErrorCode::internal, "the list of what is here is too long for a request");
    unsent.append(bytes);
  }

  void report(const git_indexer_progress& now) {
    patience.restart();
    static_cast<void>(patience.left());  // throws when it is to end
    limit(std::max<std::uint64_t>(received, now.received_bytes));
    objects = now.received_objects;
    all_objects = now.total_objects;
    if (progress) progress({std::max<std::uint64_t>(received, now.received_bytes), objects, all_objects});
  }

  /// No exception may cross libgit2.
  template <typename Body>
  int guarded(Body body) noexcept {
    try {
      if (thrown) return GIT_EUSER;
      body();
      return 0;
    } catch (...) {
      thrown = std::current_exception();
      git_error_set_str(GIT_ERROR_CALLBACK, "it was broken off");
      return GIT_EUSER;
    }
  }

  static Impl& of(git_smart_subtransport_stream* stream) { return *reinterpret_cast<Stream*>(stream)->owner; }

  static int on_progress(const git_indexer_progress* now, void* payload) {
    auto& self = *static_cast<Impl*>(payload);
    return self.guarded([&] { self.report(*now); });
  }
  static int on_transport(git_transport** out, git_remote* remote, void* payload) {
    auto& self = *static_cast<Impl*>(payload);
    self.definition = {&Impl::on_subtransport, self.from->is_stateless() ? 1U : 0U, payload};
    return git_transport_smart(out, remote, &self.definition);
  }
  static int on_subtransport(git_smart_subtransport** out, git_transport*, void* payload) {
    *out = &static_cast<Impl*>(payload)->subtransport.base;
    return 0;
  }
  static int on_action(git_smart_subtransport_stream** out, git_smart_subtransport* transport, const char*,
                       git_smart_service_t action) {
    Impl& self = *reinterpret_cast<Subtransport*>(transport)->owner;
    *out = &self.stream.base;
    if (action != GIT_SERVICE_UPLOADPACK_LS) return 0;
    return self.guarded([&] { self.from->start(); });
  }
  static int on_read(git_smart_subtransport_stream* stream, char* buffer, std::size_t size,
                     std::size_t* got) {
    Impl& self = of(stream);
    return self.guarded([&] { *got = self.read(buffer, size); });
  }
  static int on_write(git_smart_subtransport_stream* stream, const char* bytes, std::size_t size) {
    Impl& self = of(stream);
    return self.guarded([&] { self.write({bytes, size}); });
  }
  // All is owned here, and goes with it.
  static int on_close(git_smart_subtransport*) { return 0; }
  static void on_free(git_smart_subtransport*) {}
  static void on_free_stream(git_smart_subtransport_stream*) {}

  Library library;
  git_repository* into;
  const RemoteUrl& url;
  Patience& patience;
  std::function<void(const FetchProgress&)> progress;
  git_remote_callbacks callbacks{};
  git_smart_subtransport_definition definition{};
  Subtransport subtransport;
  Stream stream;
  std::unique_ptr<UploadPack> from;  // empty for a local URL
  std::string unsent;
  bool listing = true;
  std::string listed;  // what came last of the list of refs: for the reason when it is not understood
  std::uint64_t received = 0;
  unsigned objects = 0, all_objects = 0;
  std::exception_ptr thrown;
  std::unique_ptr<git_remote, RemoteFree> remote;  // last: it goes first
};

SmartRemote::SmartRemote(git_repository* into, const RemoteUrl& url, const RemoteAccess& access,
                         Patience& patience)
    : impl_(std::make_unique<Impl>(into, url, access, patience)) {}

SmartRemote::~SmartRemote() = default;

RemoteRefs SmartRemote::connect() {
  Impl& own = *impl_;
  own.connect();
  const git_remote_head** heads = nullptr;
  std::size_t count = 0;
  own.step(git_remote_ls(&heads, &count, own.remote.get()));
  RemoteRefs found;
  constexpr std::string_view kBranch = "refs/heads/";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = heads[i]->name;
    const std::string_view target = heads[i]->symref_target != nullptr ? heads[i]->symref_target : "";
    if (name == "HEAD") {
      if (target.starts_with(kBranch)) found.default_branch = std::string(target.substr(kBranch.size()));
    } else if (!name.ends_with(kPeeled)) {
      found.refs.push_back({std::string(name), hex_of(&heads[i]->oid), {}});
    } else if (!found.refs.empty() &&
               found.refs.back().name == name.substr(0, name.size() - kPeeled.size())) {
      found.refs.back().peeled = hex_of(&heads[i]->oid);
    }
  }
  std::sort(found.refs.begin(), found.refs.end(),
            [](const RemoteRef& left, const RemoteRef& right) { return left.name < right.name; });
  own.listing = false;
  own.listed.clear();
  own.received = 0;
  return found;
}

std::uint64_t SmartRemote::download(std::span<const std::string> refspecs,
                                    const std::function<void(const FetchProgress&)>& progress) {
  Impl& own = *impl_;
  own.progress = progress;
  git_fetch_options fetch = GIT_FETCH_OPTIONS_INIT;
  fetch.callbacks = own.callbacks;
  fetch.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  fetch.update_fetchhead = 0;
  std::vector<char*> texts;
  for (const std::string& text : refspecs) texts.push_back(const_cast<char*>(text.c_str()));
  const git_strarray wanted{texts.data(), texts.size()};
  own.step(git_remote_download(own.remote.get(), &wanted, &fetch));
  return std::max<std::uint64_t>(own.received, git_remote_stats(own.remote.get())->received_bytes);
}

}  // namespace runner::git
