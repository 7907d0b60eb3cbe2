// What lies between a request and the first byte of a command's output, with nothing around it: a
// round trip over HTTP on loopback, one durable commit, one spawn whose pipe becomes readable.
//   first_byte_floor SAMPLES PAUSE_MS FOLDER     FOLDER: on the file system to measure
// Prints one JSON object.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

void must(bool is_true, const char* what) {
  if (is_true) return;
  std::perror(what);
  std::exit(1);
}

/// Answers each request of one connection with the same few bytes, on a thread of its own.
class TrivialServer {
 public:
  TrivialServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    must(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    must(::listen(listener_, 1) == 0, "listen");
    must(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "port");
    thread_ = std::thread([this] { serve(); });
    client_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(::connect(client_, reinterpret_cast<sockaddr*>(&address), size) == 0, "connect");
    set_no_delay(client_);
  }
  ~TrivialServer() {
    ::close(client_);
    thread_.join();
    ::close(listener_);
  }
  TrivialServer(const TrivialServer&) = delete;

  void round_trip() const {
    static constexpr std::string_view kRequest =
        "POST /api/v2/dags/byte/dagRuns HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"logical_date\":null}";
    must(::write(client_, kRequest.data(), kRequest.size()) > 0, "send request");
    char buffer[4096];
    must(::read(client_, buffer, sizeof buffer) > 0, "read answer");
  }

 private:
  static void set_no_delay(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  void serve() const {
    static constexpr std::string_view kAnswer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    set_no_delay(socket);
    char buffer[4096];
    while (::read(socket, buffer, sizeof buffer) > 0)
      must(::write(socket, kAnswer.data(), kAnswer.size()) > 0, "answer");
    ::close(socket);
  }

  int listener_, client_ = -1;
  std::thread thread_;
};

/// One small transaction at a time, durable when `commit` returns.
class Commits {
 public:
  explicit Commits(const std::string& path) {
    must(sqlite3_open(path.c_str(), &db_) == SQLITE_OK, "open database");
    run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    run("CREATE TABLE run(key INTEGER PRIMARY KEY, note TEXT)");
  }
  ~Commits() { sqlite3_close(db_); }
  Commits(const Commits&) = delete;
  void commit() const {
    run("INSERT INTO run(note) VALUES('one row of about a hundred bytes, as a run that was asked "
        "for is; it says who and when')");
  }

 private:
  void run(const char* sql) const {
    must(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sqlite3_errmsg(db_));
  }
  sqlite3* db_ = nullptr;
};

/// Starts `echo` and returns once its first byte can be read; the process is reaped after that.
SteadyClock::time_point first_byte_of_spawn(int epoll) {
  int ends[2];
  must(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  epoll_event event{};
  event.events = EPOLLIN;
  must(::epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0, "watch");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  char name[] = "/bin/echo", word[] = "first";
  char* argv[] = {name, word, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  must(::posix_spawn(&pid, name, &actions, nullptr, argv, environment) == 0, "spawn");
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  char buffer[64];
  must(::epoll_wait(epoll, &event, 1, -1) == 1, "wait");
  must(::read(ends[0], buffer, sizeof buffer) > 0, "read");
  const auto at = SteadyClock::now();
  ::close(ends[0]);
  must(::waitpid(pid, nullptr, 0) == pid, "reap");
  return at;
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc == 4 ? std::atoi(argv[1]) : 0;
  if (samples <= 0) {
    std::fprintf(stderr, "usage: first_byte_floor SAMPLES PAUSE_MS FOLDER\n");
    return 2;
  }
  const std::chrono::milliseconds pause(std::atoi(argv[2]));
  std::string folder = std::string(argv[3]) + "/first_byte_floor_XXXXXX";
  must(::mkdtemp(folder.data()) != nullptr, "make folder");
  std::vector<double> seconds;
  {
    const TrivialServer server;
    const Commits commits(folder + "/floor.db");
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < samples; ++i) {
      const auto begin = SteadyClock::now();
      server.round_trip();
      commits.commit();
      const auto end = first_byte_of_spawn(epoll);
      seconds.push_back(std::chrono::duration<double>(end - begin).count());
      std::this_thread::sleep_for(pause);
    }
    ::close(epoll);
  }
  std::filesystem::remove_all(folder);
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](std::size_t percent) {
    return seconds[(seconds.size() - 1) * percent / 100];
  };
  std::printf("{\"measure\":\"first-byte-floor\",\"samples\":%d,\"p50_s\":%.6f,\"p99_s\":%.6f}\n",
              samples, at(50), at(99));
}
