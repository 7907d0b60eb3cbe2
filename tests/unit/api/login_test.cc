#include <set>

#include "api/login_limiter.h"
#include "support.h"

namespace etesian::api {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(ApiTest, LoginGivesATokenOncePerLogin) {
  const auto response = call("POST /auth/token", login_body(kPassword));
  EXPECT_EQ(response.status, 201);
  const auto again = call("POST /auth/token", login_body(kPassword));
  EXPECT_NE(response.body, again.body);
}

TEST_F(ApiTest, AFormLogsInToo) {
  EXPECT_EQ(call("POST /auth/token",
                 "grant_type=password&username=admin&password=correct+horse%20battery",
                 {{"content-type", "application/x-www-form-urlencoded"}})
                .status,
            201);
}

TEST_F(ApiTest, AWrongPasswordAndAnUnknownUserLookTheSame) {
  const auto wrong = call("POST /auth/token", login_body("wrong password"));
  const auto unknown =
      call("POST /auth/token", R"({"username": "nobody", "password": "wrong password"})");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.body, R"({"detail":"Invalid credentials"})");
  EXPECT_EQ(unknown.body, wrong.body);
}

TEST_F(ApiTest, TheSixthGuessHasToWait) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(call("POST /auth/token", login_body("guess number " + std::to_string(i))).status,
              401);
  }
  const auto response = call("POST /auth/token", login_body(kPassword));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, R"({"detail":"Too many logins; try again in 30 s"})");
  engine_.advance(seconds(30));
  EXPECT_EQ(call("POST /auth/token", login_body(kPassword)).status, 201);
}

TEST_F(ApiTest, LogoutEndsThisTokenAndNoOther) {
  log_in();
  const std::string first = token_;
  log_in();
  EXPECT_EQ(call("POST /auth/logout").status, 204);
  EXPECT_EQ(call("GET /api/v2/dags").status, 401);
  token_ = first;
  EXPECT_EQ(call("GET /api/v2/dags").status, 200);
}

TEST_F(ApiTest, TokensSurviveARestartAndLoggedOutOnesDoNot) {
  log_in();
  const std::string kept = token_;
  log_in();
  const std::string ended = token_;
  call("POST /auth/logout");
  std::optional<std::string> made;
  accounts_ = *Accounts::open(engine_, kPassword, made);
  http::Request request;
  request.headers = {{"authorization", "Bearer " + kept}};
  EXPECT_EQ(accounts_->user_of(request), "admin");
  request.headers = {{"authorization", "Bearer " + ended}};
  EXPECT_EQ(accounts_->user_of(request), std::nullopt);
}

TEST_F(ApiTest, ANewAdminPasswordEndsAllSessions) {
  log_in();
  http::Request request;
  request.headers = {{"authorization", "Bearer " + token_}};
  std::optional<std::string> made;
  accounts_ = *Accounts::open(engine_, "another long password", made);
  EXPECT_EQ(accounts_->user_of(request), std::nullopt);
  EXPECT_EQ(made, std::nullopt);
}

TEST(FirstStart, MakesAPasswordThatIsToldOnce) {
  const TemporaryFolder folder;
  InlineEngine engine(folder);
  std::optional<std::string> first, second;
  ASSERT_TRUE(Accounts::open(engine, std::nullopt, first));
  ASSERT_TRUE(Accounts::open(engine, std::nullopt, second));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->size(), 24U);
  EXPECT_FALSE(second.has_value());
}

TEST(FirstStart, RefusesBadPasswords) {
  const TemporaryFolder folder;
  InlineEngine engine(folder);
  std::optional<std::string> made;
  for (const auto& bad : {std::string("short"), std::string(1025, 'x'), std::string("password")}) {
    EXPECT_FALSE(Accounts::open(engine, bad, made)) << bad;
  }
  using namespace std::string_literals;
  EXPECT_TRUE(Accounts::open(engine, std::string(1024, 'x'), made));
  EXPECT_TRUE(Accounts::open(engine, "pass\0wörd longer"s, made));
}

TEST(LoginLimiter, AStrangerCannotLockTheOwnerOut) {
  LoginLimiter limiter;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.begin("admin", "bad", seconds(i)), std::nullopt);
  EXPECT_TRUE(limiter.begin("admin", "bad", seconds(5)));
  EXPECT_EQ(limiter.begin("admin", "home", seconds(5)), std::nullopt);
}

TEST(LoginLimiter, WaitsGrowAndEnd) {
  LoginLimiter limiter;
  Duration at{0};
  std::string waits;
  for (int i = 0; i < 9; ++i) {
    if (const auto wait = limiter.begin("admin", "a", at)) {
      waits += std::to_string(std::chrono::ceil<seconds>(*wait).count()) + " ";
      at += *wait;
      EXPECT_EQ(limiter.begin("admin", "a", at), std::nullopt);
    }
  }
  EXPECT_EQ(waits, "30 60 120 240 ");
  EXPECT_EQ(limiter.begin("admin", "a", at + minutes(16)), std::nullopt);
}

TEST(LoginLimiter, AnAddressHasTwentyFailuresAMinute) {
  LoginLimiter limiter;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(limiter.begin("user" + std::to_string(i), "a", seconds(i)), std::nullopt);
  }
  EXPECT_EQ(limiter.begin("one more", "a", seconds(20)), std::optional<Duration>(seconds(40)));
  EXPECT_EQ(limiter.begin("one more", "a", seconds(60)), std::nullopt);
}

TEST(LoginLimiter, SuccessesAreFree) {
  LoginLimiter limiter;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limiter.begin("admin", "a", seconds(1)), std::nullopt);
    limiter.succeeded("admin", "a");
  }
}

}  // namespace
}  // namespace etesian::api
