// Runs the built etesian-init, as PID 1 of a namespace and as an ordinary process. The commands
// that it starts are modes of this very program ("--as MODE"), at the end of the file.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/file.h"

namespace etesian {
namespace {

using Words = std::vector<std::string>;
using Steady = std::chrono::steady_clock;
constexpr auto kDeadline = std::chrono::seconds(60);

Words mode(const std::string& name, const Words& arguments = {}) {
  Words words = {"/proc/self/exe", "--as", name};
  words[0] = std::filesystem::read_symlink("/proc/self/exe");
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// A started program whose standard output is read through a pipe.
class Program {
 public:
  /// `prepare` runs in the new process just before exec.
  explicit Program(
      const Words& words, const std::function<void()>& prepare = [] {}) {
    int out[2], in[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
      std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      prepare();
      std::vector<char*> argv;
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      execvp(argv[0], argv.data());
      _exit(99);
    }
    out_ = Fd(out[0]), in_ = Fd(in[1]), err_ = Fd(err[0]);
    close(out[1]), close(in[0]), close(err[1]);
  }
  ~Program() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void close_input() { in_.reset(); }
  std::string line() { return read_until(out_, '\n'); }
  /// Until every process that holds standard output has ended.
  std::string rest() { return read_until(out_, '\0'); }
  std::string errors() { return read_until(err_, '\0'); }
  /// Exit code, or minus the signal that it died of.
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  bool wait_stopped() const {
    int status = 0;
    return waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status);
  }

 private:
  static std::string read_until(const Fd& from, char end) {
    std::string text;
    const auto deadline = Steady::now() + kDeadline;
    for (;;) {
      pollfd wait{from.get(), POLLIN, 0};
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
      if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) <= 0) {
        ADD_FAILURE() << "nothing came within a minute after: " << text;
        return text;
      }
      char c = 0;
      if (read(from.get(), &c, 1) != 1) return text;
      if (c == end) return text;
      text += c;
    }
  }

  pid_t pid_ = -1;
  Fd out_, in_, err_;
};

std::vector<pid_t> children_of(pid_t pid) {
  const std::string id = std::to_string(pid);
  std::ifstream file("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

enum class Place { PidOne, Subreaper };

const Words kUnshare = {"unshare", "-p", "-f", "--mount-proc"};

bool can_be_pid_one() {
  static const bool can = [] {
    Words probe = kUnshare;
    probe.push_back("true");
    return Program(probe).wait() == 0;
  }();
  return can;
}

class InitTest : public ::testing::TestWithParam<Place> {
 protected:
  void SetUp() override {
    if (is_pid_one() && !can_be_pid_one()) GTEST_SKIP() << "unshare needs root";
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  static bool is_pid_one() { return GetParam() == Place::PidOne; }
  static Words init(const Words& options, const Words& command) {
    Words words = is_pid_one() ? kUnshare : Words{};
    words.push_back(ETESIAN_INIT);
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }
  static int code_of(const Words& command, const Words& options = {}) {
    Program program(init(options, command));
    return program.wait();
  }
  /// The process to send signals to. Only once the command runs.
  static pid_t init_of(const Program& program) {
    return is_pid_one() ? children_of(program.pid()).at(0) : program.pid();
  }

  std::string record() const { return folder_ + "/record"; }
  std::string recorded(const Words& command) {
    std::filesystem::remove(record());
    code_of(command, {"--record", record()});
    const auto text = read_file(record());
    return text ? *text : text.error().message;
  }

  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(As, InitTest, ::testing::Values(Place::PidOne, Place::Subreaper),
                         [](const auto& place) {
                           return place.param == Place::PidOne ? "PidOne" : "Subreaper";
                         });

TEST_P(InitTest, EveryExitCodeIsPassedOn) {
  const int step = is_pid_one() ? 15 : 1;
  for (int code = 0; code <= 255; code += step)
    EXPECT_EQ(code_of({"sh", "-c", "exit " + std::to_string(code)}), code);
}

TEST_P(InitTest, ADeathBySignalIs128PlusItsNumber) {
  for (int number = 1; number <= 64; ++number) {
    // Ignored or stopping by default.
    if (number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH) continue;
    if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) continue;
    EXPECT_EQ(code_of(mode("die", {std::to_string(number)})), 128 + number);
  }
}

TEST_P(InitTest, ACommandThatCannotRunHasAShellsCodes) {
  Program missing(init({}, {"no-such-command"}));
  EXPECT_EQ(missing.wait(), 127);
  EXPECT_NE(
      missing.errors().find("etesian init: start 'no-such-command': No such file or directory\n"),
      std::string::npos);
  EXPECT_EQ(code_of({folder_ + "/none/run"}), 127);
  std::ofstream(folder_ + "/plain") << "text";
  EXPECT_EQ(code_of({folder_ + "/plain"}), 126);
  EXPECT_EQ(code_of({folder_}), 126);
}

TEST_P(InitTest, AWrongCommandLineIs125) {
  EXPECT_EQ(code_of({"true"}, {"--nonsense"}), 125);
  EXPECT_EQ(code_of({"true"}, {"--grace", "soon"}), 125);
  EXPECT_EQ(code_of({"true"}, {"--rewrite", "15"}), 125);
  EXPECT_EQ(code_of({"true"}, {"--rewrite", "65:1"}), 125);
  EXPECT_EQ(code_of({}), 125);
}

TEST_P(InitTest, OrphansAreReaped) {
  Program program(init({}, mode("orphan", {"500"})));
  EXPECT_EQ(program.line(), "500 orphans");
  const pid_t pid = init_of(program);
  const auto deadline = Steady::now() + kDeadline;
  while (children_of(pid).size() > 1 && Steady::now() < deadline) sched_yield();
  EXPECT_EQ(children_of(pid).size(), 1U);
  program.close_input();
  EXPECT_EQ(program.wait(), 0);
}

TEST_P(InitTest, EverySignalReachesTheCommand) {
  std::vector<int> numbers = {SIGHUP,    SIGINT,   SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2,
                              SIGPIPE,   SIGALRM,  SIGTERM, SIGURG,  SIGXCPU, SIGXFSZ,
                              SIGVTALRM, SIGWINCH, SIGIO,   SIGPWR,  SIGSEGV, SIGSYS};
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) numbers.push_back(number);
  Program program(init({}, mode("echo")));
  EXPECT_EQ(program.line(), "ready");
  const pid_t pid = init_of(program);
  for (const int number : numbers) {
    ASSERT_EQ(kill(pid, number), 0);
    EXPECT_EQ(program.line(), std::to_string(number));
  }
  program.close_input();
  kill(pid, SIGCONT);
  EXPECT_EQ(program.line(), std::to_string(SIGCONT));
  EXPECT_EQ(program.wait(), 0);
}

TEST_P(InitTest, ASignalIsRewrittenInOneStepOrDropped) {
  Program program(
      init({"--rewrite", "15:2", "--rewrite", "2:12", "--rewrite", "10:0"}, mode("echo")));
  EXPECT_EQ(program.line(), "ready");
  const pid_t pid = init_of(program);
  kill(pid, SIGUSR1);
  kill(pid, SIGTERM);
  EXPECT_EQ(program.line(), std::to_string(SIGINT)) << "USR1 was dropped, TERM became INT";
  kill(pid, SIGINT);
  EXPECT_EQ(program.line(), std::to_string(SIGUSR2));
}

TEST_P(InitTest, TheWholeGroupIsToldUnlessOnlyTheMainProcessIsMeant) {
  Program group(init({}, mode("pair")));
  EXPECT_EQ(group.line(), "ready");
  kill(init_of(group), SIGUSR1);
  EXPECT_EQ(group.line(), "the other got " + std::to_string(SIGUSR1));
  Program main_only(init({"--main-only"}, mode("pair")));
  EXPECT_EQ(main_only.line(), "ready");
  kill(init_of(main_only), SIGUSR1);
  EXPECT_EQ(main_only.line(), "the other got " + std::to_string(SIGTERM));
}

TEST_P(InitTest, TermBeforeTheCommandIsThereIsNotLost) {
  if (is_pid_one()) GTEST_SKIP() << "unshare stands between";
  // A blocked, pending signal survives exec: it is there before init's first instruction.
  Program program(init({}, mode("echo")), [] {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, nullptr);
    raise(SIGTERM);
  });
  const std::string first = program.line(), second = program.line();
  EXPECT_EQ(first, "ready");
  EXPECT_EQ(second, std::to_string(SIGTERM));
}

TEST_P(InitTest, SuspendStopsInitToo) {
  if (is_pid_one()) GTEST_SKIP() << "PID 1 of a namespace cannot stop itself";
  Program program(init({}, mode("echo")));
  EXPECT_EQ(program.line(), "ready");
  kill(program.pid(), SIGTSTP);
  ASSERT_TRUE(program.wait_stopped());
  kill(program.pid(), SIGCONT);
  EXPECT_EQ(program.line(), std::to_string(SIGCONT));
}

TEST_P(InitTest, JobControlSignalsArePassedOnWhenAskedTo) {
  Program program(init({"--pass-job-control"}, mode("echo")));
  EXPECT_EQ(program.line(), "ready");
  for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
    kill(init_of(program), number);
    EXPECT_EQ(program.line(), std::to_string(number));
  }
}

TEST_P(InitTest, WhatTheCommandLeavesBehindIsAskedToEnd) {
  Program program(init({"--grace", "50"}, mode("leave", {"obeying"})));
  EXPECT_EQ(program.rest(), "ready\nterm\n");
  EXPECT_EQ(program.wait(), 3);
}

TEST_P(InitTest, WhatDoesNotEndWithinTheGraceIsKilled) {
  const auto begin = Steady::now();
  Program program(init({"--grace", "0.2"}, mode("leave", {"stubborn"})));
  EXPECT_EQ(program.rest(), "ready\nterm\n") << "the end of its output shows that it is dead";
  EXPECT_EQ(program.wait(), 3);
  EXPECT_GE(Steady::now() - begin, std::chrono::milliseconds(200));
}

TEST_P(InitTest, AsPidOneEvenAnotherSessionIsEnded) {
  if (!is_pid_one()) GTEST_SKIP() << "a subreaper ends the command's group only";
  Program program(init({"--grace", "50"}, mode("leave", {"obeying", "daemon"})));
  EXPECT_EQ(program.rest(), "ready\nterm\n");
  EXPECT_EQ(program.wait(), 3);
}

TEST_P(InitTest, TheMaskAndTheIgnoredSignalsStayTheCallers) {
  const auto prepare = [] {
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int number : {SIGUSR1, SIGALRM, 40}) sigaddset(&blocked, number);
    sigprocmask(SIG_SETMASK, &blocked, nullptr);
    for (const int number : {SIGHUP, SIGPIPE, SIGUSR2}) signal(number, SIG_IGN);
  };
  const Words show = {"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"};
  Program plain(show, prepare);
  const std::string expected = plain.rest();
  EXPECT_NE(expected.find("SigBlk:\t0000008000002200"), std::string::npos) << expected;
  Program program(init({}, show), prepare);
  EXPECT_EQ(program.rest(), expected);
}

TEST_P(InitTest, ACallerThatIgnoresItsChildrenDoesNotHideTheCommandsEnd) {
  if (is_pid_one()) GTEST_SKIP() << "unshare would not see the end itself";
  const auto ignore_children = [] { signal(SIGCHLD, SIG_IGN); };
  Program handed_on(init({}, {"grep", "SigIgn", "/proc/self/status"}), ignore_children);
  EXPECT_EQ(handed_on.rest(), "SigIgn:\t0000000000010000\n");
  Program program(init({}, {"sh", "-c", "exit 7"}), ignore_children);
  EXPECT_EQ(program.wait(), 7);
}

TEST_P(InitTest, TheExitRecordTellsHowTheCommandEnded) {
  EXPECT_EQ(recorded({"true"}), "{\"exit_code\":0,\"raw_status\":0}\n");
  struct stat info {};
  ASSERT_EQ(stat(record().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(recorded({"sh", "-c", "exit 3"}), "{\"exit_code\":3,\"raw_status\":768}\n");
  EXPECT_EQ(recorded(mode("die", {"9"})), "{\"exit_code\":137,\"raw_status\":9}\n");
  EXPECT_EQ(recorded({"no-such-command"}), "{\"exit_code\":127,\"raw_status\":0}\n");
}

TEST_P(InitTest, ARelativeRecordLiesWhereInitWasStarted) {
  Program program(init({"--record", "here"}, {"true"}), [this] { (void)!chdir(folder_.c_str()); });
  EXPECT_EQ(program.wait(), 0);
  const auto text = read_file(folder_ + "/here");
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "{\"exit_code\":0,\"raw_status\":0}\n");
}

TEST_P(InitTest, WithoutItsRecordASuccessIsNone) {
  EXPECT_EQ(code_of({"true"}, {"--record", folder_ + "/none/record"}), 125);
}

// ---- the commands ----

void say(const std::string& text) {
  (void)!write(STDOUT_FILENO, (text + "\n").data(), text.size() + 1);
}

void block_all() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

int take_signal() {
  sigset_t all;
  sigfillset(&all);
  for (;;)  // a stop and CONT interrupt the wait
    if (const int number = sigwaitinfo(&all, nullptr); number > 0) return number;
}

void wait_for_end_of_input() {
  char c = 0;
  while (read(STDIN_FILENO, &c, 1) > 0) {
  }
}

/// Dies of a signal.
int die(int number) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  kill(getpid(), number);
  return 98;
}

/// Says each signal that it gets; CONT ends it once its input is closed.
int echo() {
  block_all();
  say("ready");
  for (;;) {
    const int number = take_signal();
    say(std::to_string(number));
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (number == SIGCONT && poll(&input, 1, 0) == 1) return 0;
  }
}

/// Leaves `count` processes without a parent, which end at once.
int orphan(int count) {
  for (int i = 0; i < count; ++i) {
    const pid_t middle = fork();
    if (middle == 0) _exit(fork() < 0 ? 1 : 0);
    waitpid(middle, nullptr, 0);
  }
  say(std::to_string(count) + " orphans");
  wait_for_end_of_input();
  return 0;
}

/// Says which signal a second process of the group got first: one from outside, or this one's TERM.
int pair() {
  block_all();
  const pid_t other = fork();
  if (other == 0) {
    say("ready");
    _exit(take_signal());
  }
  while (take_signal() != SIGUSR1) {
  }
  kill(other, SIGTERM);
  int status = 0;
  waitpid(other, &status, 0);
  say("the other got " + std::to_string(WEXITSTATUS(status)));
  return 0;
}

/// Ends with 3 and leaves a process that says when it is asked to end; "stubborn" does not obey.
int leave(const Words& how) {
  const bool is_stubborn = how[0] == "stubborn", is_daemon = how.size() > 1;
  int ready[2];
  if (pipe(ready) != 0) return 98;
  block_all();
  if (fork() == 0) {
    if (is_daemon) setsid();
    say("ready");
    (void)!write(ready[1], "r", 1);
    while (take_signal() != SIGTERM) {
    }
    say("term");
    while (is_stubborn) take_signal();
    _exit(0);
  }
  char c = 0;
  (void)!read(ready[0], &c, 1);
  return 3;
}

int run_mode(const std::string& name, const Words& arguments) {
  if (name == "die") return die(std::stoi(arguments[0]));
  if (name == "echo") return echo();
  if (name == "orphan") return orphan(std::stoi(arguments[0]));
  if (name == "pair") return pair();
  if (name == "leave") return leave(arguments);
  return 98;
}

}  // namespace
}  // namespace etesian

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]) == "--as")
    return etesian::run_mode(argv[2], {argv + 3, argv + argc});
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
