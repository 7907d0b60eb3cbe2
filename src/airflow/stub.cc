#include "airflow/stub.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "airflow/frame.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"

extern char** environ;

namespace etesian::airflow {
namespace {

using Steady = std::chrono::steady_clock;

constexpr const char* kWorkload = "ETESIAN_WORKLOAD";
constexpr const char* kSocket = "ETESIAN_AIRFLOW_SOCKET";
constexpr const char* kServer = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL";
constexpr std::chrono::seconds kConnectMax{300};
constexpr int kFailed = 1, kBrokenOff = 70, kSignalBase = 128;

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "etesian airflow-task: %s\n", message.c_str());
  return code;
}

int stopped(int signal) { return fail("stopped before the task began", kSignalBase + signal); }

/// A JSON string. Bytes that are not UTF-8 become the surrogates by which Python carries them in
/// os.environ (PEP 383), so that they arrive as they are.
std::string quoted(std::string_view text) {
  const bool is_text = is_utf8(text);
  std::string out = "\"";
  char escape[8];
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else if (byte >= 0x80 && !is_text) {
      std::snprintf(escape, sizeof escape, "\\udc%02x", byte);
      out += escape;
    } else {
      out.push_back(c);
    }
  }
  return out += '"';
}

std::string environment_json() {
  std::string out = "{";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    if (name == kWorkload || name == kSocket) continue;
    if (out.size() > 1) out += ',';
    out += quoted(name) + ':' + quoted(pair.substr(equals + 1));
  }
  return out += '}';
}

std::string run_request(const char* workload) {
  std::array<char, 4096> folder{};
  const bool has_folder = ::getcwd(folder.data(), folder.size()) != nullptr;
  const char* server = std::getenv(kServer);
  return std::string(R"({"op":"run","workload":)") + workload + R"(,"env":)" + environment_json() +
         // The host's own: it makes parses repeatable, a task has the randomness it asks for.
         R"(,"unset":)" + (std::getenv("PYTHONHASHSEED") ? "[]" : R"(["PYTHONHASHSEED"])") +
         R"(,"server":)" + quoted(server ? server : "") + R"(,"cwd":)" +
         (has_folder ? quoted(folder.data()) : "null") + "}";
}

/// Its signals are taken by `fd` alone.
struct Signals {
  Signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  /// 0: none has come.
  int take() const {
    signalfd_siginfo info{};
    return ::read(fd.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                               : 0;
  }
  Fd fd;
};

/// The host's socket, which may not be there yet, or not for a while.
class Line {
 public:
  Line(std::string path, const Signals& signals) : path_(std::move(path)), signals_(signals) {}

  /// A new connection, or none with errno or `signal` set. Waits before each attempt but the first.
  Fd connect();
  int signal = 0;  ///< What ended the waiting, if anything did.

 private:
  Fd try_once() const;
  std::string path_;
  const Signals& signals_;
  Steady::time_point deadline_ = Steady::now() + kConnectMax;
  int pause_ms_ = 0;
};

Fd Line::try_once() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return Fd();
  }
  std::memcpy(address.sun_path, path_.data(), path_.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool is_connected =
      fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  return is_connected ? std::move(fd) : Fd();
}

Fd Line::connect() {
  for (int error = ECONNRESET;;) {
    if (pause_ms_ > 0) {
      errno = error;
      if (Steady::now() > deadline_) return Fd();
      pollfd wait{signals_.fd.get(), POLLIN, 0};
      ::poll(&wait, 1, pause_ms_);
      if ((signal = signals_.take()) != 0) return Fd();
    }
    pause_ms_ = std::clamp(pause_ms_ * 2, 10, 500);
    if (Fd fd = try_once()) return fd;
    error = errno;
    // Not there yet, between two hosts, or more tasks at once than its queue holds.
    if (error != ENOENT && error != ECONNREFUSED && error != EAGAIN) return Fd();
  }
}

enum class Passing { Nothing, Output };

/// All of it; stdout and stderr go with the first byte.
bool send_all(int fd, std::string_view data, Passing passing) {
  const int passed[] = {STDOUT_FILENO, STDERR_FILENO};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof passed)> control{};
  while (!data.empty()) {
    iovec part{const_cast<char*>(data.data()), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (passing == Passing::Output) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof passed);
      std::memcpy(CMSG_DATA(head), passed, sizeof passed);
    }
    const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n > 0) {
      passing = Passing::Nothing;
      data.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

/// A shell's way to tell of a signal; never 0 for what is not 0.
int exit_code_of(std::int64_t code) {
  if (code < 0 && code > -kSignalBase) return kSignalBase - static_cast<int>(code);
  return code >= 0 && code <= 255 ? static_cast<int>(code) : kFailed;
}

/// The agent reads until all writers are gone: the supervisor is one now. Stderr stays, for the
/// last word.
void let_go_of_stdout() {
  const Fd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (nothing) ::dup2(nothing.get(), STDOUT_FILENO);
}

/// One connection's life after the request.
class Task {
 public:
  /// The exit code; none when the connection broke before the supervisor had started, so that
  /// nothing has run.
  std::optional<int> accompany(int fd, const Signals& signals);

 private:
  std::optional<int> take(const std::string& body);
  bool has_started_ = false;
  int signal_ = 0;
};

std::optional<int> Task::take(const std::string& body) {
  const auto frame = parse_json(body);
  if (!frame || !frame->is_object()) return fail("the host does not speak JSON", kBrokenOff);
  const json::object& fields = frame->get_object();
  const auto text = [&](const char* name) {
    const json::value* value = fields.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const std::string op = text("op");
  if (op == "started") {
    has_started_ = true;
    let_go_of_stdout();
  }
  if (op == "refused" || op == "error")
    return fail("the host refused the task: " + text("error"), kFailed);
  if (op != "ended") return std::nullopt;
  const json::value* code = fields.if_contains("code");
  return code != nullptr && code->is_int64() ? exit_code_of(code->get_int64()) : kFailed;
}

std::optional<int> Task::accompany(int fd, const Signals& signals) {
  FrameReader reader;
  std::array<char, 4096> buffer;
  for (;;) {
    pollfd waits[] = {{fd, POLLIN, 0}, {signals.fd.get(), POLLIN, 0}};
    ::poll(waits, std::size(waits), -1);
    if (const int signal = signals.take(); signal != 0) {
      signal_ = signal;
      send_all(fd, frame_of(R"({"op":"signal","signo":)" + std::to_string(signal) + "}"),
               Passing::Nothing);
    }
    if (waits[0].revents == 0) continue;
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0 && !has_started_ && signal_ == 0) return std::nullopt;
    if (n <= 0 && !has_started_) return stopped(signal_);
    if (n <= 0) return fail("the task's process ended without a word", kBrokenOff);
    reader.feed({buffer.data(), static_cast<std::size_t>(n)});
    for (;;) {
      const auto body = reader.next();
      if (!body) return fail(body.error().message, kBrokenOff);
      if (!*body) break;
      if (const auto code = take(**body)) return code;
    }
  }
}

}  // namespace

int hand_over_task() {
  const char* workload = std::getenv(kWorkload);
  const char* socket = std::getenv(kSocket);
  if (workload == nullptr || socket == nullptr)
    return fail(std::string(kWorkload) + " and " + kSocket + " must be set", kFailed);
  const std::string request = frame_of(run_request(workload));
  const Signals signals;
  Line line(socket, signals);
  for (;;) {
    const Fd fd = line.connect();
    if (line.signal != 0) return stopped(line.signal);
    if (!fd) return fail("reach the Python host: " + std::string(std::strerror(errno)), kFailed);
    if (!send_all(fd.get(), request, Passing::Output)) continue;
    if (const auto code = Task().accompany(fd.get(), signals)) return *code;
  }
}

}  // namespace etesian::airflow
