#include "airflow/host.h"

#include <signal.h>
#include <unistd.h>

#include "airflow/frame.h"
#include "support.h"

namespace etesian::airflow {
namespace {

using namespace std::chrono_literals;

class HostTest : public ::testing::Test {
 protected:
  void start(HostOptions options) {
    host_ = *Host::create(std::move(options), std::make_shared<SystemClock>());
    host_->add_listener(
        {[this] { heard_.add("ready"); },
         [this](const std::string& why) { heard_.add("down: " + why); },
         [this](const json::object& frame) { heard_.add(json::serialize(frame)); }});
  }
  void start() { start(fake_.options()); }

  std::future<Result<json::object>> ask(json::object request, Duration timeout = kPatience) {
    auto answer = std::make_shared<std::promise<Result<json::object>>>();
    host_->ask(std::move(request), timeout,
               [answer](Result<json::object> got) { answer->set_value(std::move(got)); });
    return answer->get_future();
  }
  static std::string text(std::future<Result<json::object>> answer) {
    if (answer.wait_for(kPatience) != std::future_status::ready) return "no answer";
    const auto got = answer.get();
    return got ? json::serialize(*got) : got.error().message;
  }

  FakeHost fake_;
  Heard heard_;
  std::shared_ptr<Host> host_;  ///< Last: it ends before what it tells.
};

TEST(FrameTest, FramesAreCutFromAStreamWhateverTheReads) {
  const std::string stream = frame_of("{}") + frame_of("") + frame_of("abc");
  FrameReader reader;
  std::string bodies;
  for (const char c : stream) {
    reader.feed({&c, 1});
    for (auto body = reader.next(); *body; body = reader.next()) bodies += "[" + **body + "]";
  }
  EXPECT_EQ(bodies, "[{}][][abc]");
  reader.feed("\xff\xff\xff\xff");
  EXPECT_EQ(reader.next().error().code, ErrorCode::TooLarge);
}

TEST_F(HostTest, NothingIsStartedBeforeItIsNeeded) {
  start();
  host_->tell({{"op", "nobody hears this"}});
  EXPECT_FALSE(host_->is_ready());
  EXPECT_EQ(text(ask({{"op", "echo"}})), R"({"op":"echo","id":1,"big":""})");
  EXPECT_EQ(heard_.next(), "ready");
  EXPECT_EQ(host_->versions().at("airflow"), "3.3.2");
  EXPECT_EQ(fake_.count("nobody hears this"), 0);
}

TEST_F(HostTest, TheProcessSeesItsEnvironmentAndNoneOfOurFiles) {
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  const json::object started = fake_.asked().at(0);
  EXPECT_EQ(started.at("token"), "secret");
  EXPECT_EQ(json::serialize(started.at("fds")), "[0,1,2,3,4]") << "4 is the listing's own";
}

TEST_F(HostTest, ManyLargeQuestionsAtOnceAreAllAnswered) {
  start();
  std::vector<std::future<Result<json::object>>> answers;
  for (int i = 0; i < 20; ++i)
    answers.push_back(
        ask({{"op", "echo"}, {"n", i}, {"text", std::string(1 << 20, 'q')}, {"bytes", 1 << 20}}));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(answers[static_cast<std::size_t>(i)].wait_for(kPatience), std::future_status::ready);
    const auto got = answers[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->at("n"), i);
    EXPECT_EQ(got->at("big").get_string().size(), 1U << 20);
  }
}

TEST_F(HostTest, FramesThatAnswerNothingGoToTheListeners) {
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  host_->tell({{"op", "say"}, {"frame", {{"op", "fired"}, {"id", "a"}}}});
  EXPECT_EQ(heard_.next(), R"({"op":"fired","id":"a"})");
}

TEST_F(HostTest, NaNOfPythonIsNoReasonToEnd) {
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  host_->tell({{"op", "nan"}});
  EXPECT_EQ(heard_.next(), R"({"op":"fired","id":"a","payload":[null,null,"NaN \"NaN\""]})");
}

TEST_F(HostTest, AListenerThatComesLateHearsThatItIsReady) {
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  Heard late;
  const int handle = host_->add_listener({[&] { late.add("ready"); }, {}, {}});
  EXPECT_EQ(late.next(), "ready");
  host_->remove_listener(handle);
  EXPECT_TRUE(heard_.is_empty());
}

TEST_F(HostTest, WhoeverWaitsHearsOfItsDeathAndItIsStartedAgain) {
  start();
  auto answer = ask({{"op", "die"}});
  EXPECT_EQ(text(std::move(answer)), "ask the Python host: it ended (killed by signal 9)");
  EXPECT_EQ(heard_.next(), "ready");
  EXPECT_EQ(heard_.next(), "down: it ended (killed by signal 9)");
  EXPECT_EQ(heard_.next(), "ready");
  EXPECT_EQ(text(ask({{"op", "echo"}})), R"({"op":"echo","id":2,"big":""})");
}

TEST_F(HostTest, AHostThatCannotImportAirflowSaysWhy) {
  fake_.behave({{"broken", "No module named 'airflow'"}});
  start();
  EXPECT_EQ(text(ask({{"op", "echo"}})),
            "ask the Python host: it cannot work: No module named 'airflow'");
  EXPECT_EQ(heard_.next(), "down: it cannot work: No module named 'airflow'");
  fake_.behave({});
  std::string what = heard_.next();
  while (what.starts_with("down")) what = heard_.next();
  EXPECT_EQ(what, "ready") << "it is tried again, and now it can";
}

TEST_F(HostTest, AHostThatEndsBeforeItIsReadySaysItsLastLine) {
  fake_.behave({{"exit", 3}});
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "down: it ended (exit code 3): last words");
}

TEST_F(HostTest, AMissingInterpreterIsToldToWhoAsks) {
  HostOptions options = fake_.options();
  options.python = "/nowhere/python";
  start(options);
  EXPECT_EQ(text(ask({{"op", "echo"}})),
            "ask the Python host: start the Python host '/nowhere/python': No such file or "
            "directory");
}

TEST_F(HostTest, AnAnswerThatIsLateIsTimeoutAndThenDropped) {
  fake_.behave({{"no_answer", true}});
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  EXPECT_EQ(text(ask({{"op", "parse"}}, 20ms)), "ask the Python host: no answer in time");
}

TEST_F(HostTest, AHostThatFallsSilentIsReplaced) {
  fake_.behave({{"silent", true}});
  HostOptions options = fake_.options();
  options.silence_max = 100ms;
  start(options);
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  EXPECT_EQ(heard_.next(), "down: it fell silent");
  fake_.behave({});
  EXPECT_EQ(heard_.next(), "ready");
}

TEST_F(HostTest, AHostThatAnswersOrWorksIsNotTakenForSilent) {
  fake_.behave({{"no_answer", true}});
  HostOptions options = fake_.options();
  options.silence_max = 50ms;
  start(options);
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  ASSERT_TRUE(eventually([this] { return fake_.count("stat") >= 3; }));
  fake_.behave({{"no_answer", true}, {"silent", true}});
  EXPECT_EQ(text(ask({{"op", "parse"}}, 500ms)), "ask the Python host: no answer in time")
      << "not: it fell silent";
}

TEST_F(HostTest, GarbageEndsTheHost) {
  start();
  EXPECT_EQ(text(ask({{"op", "garbage"}})),
            "ask the Python host: it sent what is no JSON object: no json");
}

TEST_F(HostTest, TheLogStartsAnewWhenItIsLarge) {
  fake_.folder().write("host.log", std::string((16 << 20) + 1, 'x'));
  fake_.behave({{"exit", 3}});
  start();
  host_->wake();
  heard_.next();
  EXPECT_LT(std::filesystem::file_size(fake_.folder().at("host.log")), 10'000U);
}

TEST_F(HostTest, TheProcessEndsWithTheServer) {
  start();
  host_->wake();
  EXPECT_EQ(heard_.next(), "ready");
  const auto pid = static_cast<pid_t>(host_->versions().at("pid").as_int64());
  auto answer = ask({{"op", "parse"}, {"file", "/nowhere"}, {"bundle_path", "/"}});
  host_.reset();
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_NE(text(std::move(answer)), "no answer");
}

}  // namespace
}  // namespace etesian::airflow
