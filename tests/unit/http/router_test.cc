#include "support.h"

namespace etesian::http {
namespace {

/// Shows which route answered, for whom, and with which parameters.
Handler tell(std::string name) {
  return [name](const Request& request, std::shared_ptr<Reply> reply) {
    std::string text = name;
    if (!request.user.empty()) text += " for " + request.user;
    for (const auto& [key, value] : request.params) text += " " + key + "=" + value;
    reply->send({.status = 200, .body = text, .content_type = "text/plain", .headers = {}});
  };
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router_.set_authenticator(ada_with_a_token);
    add("GET", "/", Access::Open, "page");
    add("GET", "/api/v2/version", Access::Open, "version");
    add("GET", "/api/v2/dags/{dag_id}", Access::Token, "get dag");
    add("PATCH", "/api/v2/dags/{dag_id}", Access::Token, "patch dag");
    add("GET", "/api/v2/dags/{dag_id}/dagRuns/{run_id}", Access::Token, "get run");
    add("GET", "/api/v2/dags/{dag_id}/dagRuns/latest", Access::Token, "latest run");
    add("GET", "/api/v2/dags/all/{anything}/{run_id}", Access::Token, "earlier literal");
    add("GET", "/execution/{id}", Access::Token, "execution");
    add("GET", "/execution/variables/{key*}", Access::Token, "variable");
    add("DELETE", "/execution/variables/{key*}", Access::Token, "drop variable");
    add("GET", "/execution/variables/keys", Access::Token, "variable keys");
    add("GET", "/execution/variables/{key}/version", Access::Token, "version");
  }
  void add(std::string method, std::string pattern, Access access, std::string name) {
    router_.add({.method = std::move(method),
                 .pattern = std::move(pattern),
                 .access = access,
                 .handler = tell(name),
                 .operation_id = name,
                 .body_bytes_max = 10});
  }
  Response ask(std::string method, std::string path, std::string token = "right",
               std::string body = "") {
    Request request{.method = std::move(method),
                    .path = std::move(path),
                    .query = {},
                    .headers = {},
                    .body = std::move(body),
                    .peer = {},
                    .params = {},
                    .user = {}};
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    auto reply = std::make_shared<RecordingReply>();
    router_.handle(std::move(request), reply);
    return reply->answer.value_or(Response{});
  }
  std::string said(std::string method, std::string path, std::string token = "right") {
    const Response answer = ask(std::move(method), std::move(path), std::move(token));
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  Router router_;
};

TEST_F(RouterTest, a_parameter_is_one_segment_decoded_once) {
  EXPECT_EQ(said("GET", "/api/v2/dags/etl"), "get dag for ada dag_id=etl");
  EXPECT_EQ(said("GET", "/api/v2/dags/a%2Fb"), "get dag for ada dag_id=a/b");
  EXPECT_EQ(said("GET", "/api/v2/dags/a%252Fb"), "get dag for ada dag_id=a%2Fb");
  EXPECT_EQ(said("GET", "/api/v2/dags/%2e%2e"), "get dag for ada dag_id=..");
  EXPECT_EQ(said("GET", "/api/v2/dags/x;y"), "get dag for ada dag_id=x;y");
  EXPECT_EQ(said("GET", "/api/v2/dags/etl/dagRuns/manual__2026-01-01T00:00:00+00:00"),
            "get run for ada dag_id=etl run_id=manual__2026-01-01T00:00:00+00:00");
}

TEST_F(RouterTest, a_malformed_escape_or_a_nul_is_400_after_the_token) {
  EXPECT_EQ(said("GET", "/api/v2/dags/a%00"), "400");
  EXPECT_EQ(said("GET", "/api/v2/dags/a%zz"), "400");
  EXPECT_EQ(said("GET", "/api/v2/dags/a%2"), "400");
  EXPECT_EQ(said("GET", "/api/v2/dags/a%00", ""), "401");
}

TEST_F(RouterTest, the_earlier_literal_wins) {
  EXPECT_EQ(said("GET", "/api/v2/dags/etl/dagRuns/latest"), "latest run for ada dag_id=etl");
  EXPECT_EQ(said("GET", "/api/v2/dags/all/dagRuns/latest"),
            "earlier literal for ada anything=dagRuns run_id=latest");
}

TEST_F(RouterTest, a_last_parameter_may_take_the_rest_of_the_path) {
  const auto key = [&](const std::string& path) {
    return said("GET", "/execution/variables/" + path);
  };
  EXPECT_EQ(key("a"), "variable for ada key=a");
  EXPECT_EQ(key("a/b+c:d/e"), "variable for ada key=a/b+c:d/e");
  EXPECT_EQ(key("a%2Fb%20%C3%A9/c"), "variable for ada key=a/b \xC3\xA9/c");
  EXPECT_EQ(key("/a//b/"), "variable for ada key=/a//b/");
  EXPECT_EQ(key("../x/./y"), "variable for ada key=../x/./y");
  EXPECT_EQ(key(std::string(4000, 'a') + "/b").substr(0, 12), "variable for");
  EXPECT_EQ(key("a/%zz/b"), "400");
  EXPECT_EQ(key("a/%00/b"), "400");
  EXPECT_EQ(key(""), "404");
  EXPECT_EQ(said("GET", "/execution/variables"), "execution for ada id=variables");
  EXPECT_EQ(said("GET", "/execution//a"), "404");
}

TEST_F(RouterTest, the_rest_of_a_path_is_weaker_than_literals_and_parameters) {
  EXPECT_EQ(said("GET", "/execution/variables/keys"), "variable keys for ada");
  EXPECT_EQ(said("DELETE", "/execution/variables/keys"), "drop variable for ada key=keys");
  EXPECT_EQ(said("GET", "/execution/variables/a/version"), "version for ada key=a");
  EXPECT_EQ(said("GET", "/execution/variables/a/b/version"), "variable for ada key=a/b/version");
  EXPECT_EQ(said("GET", "/execution/variables/a/b/version", ""), "401");
}

TEST_F(RouterTest, other_spellings_of_an_open_route_never_reach_it) {
  for (const char* path : {"//api/v2/version",
                           "/api//v2/version",
                           "/api/v2/version/",
                           "/api/v2/version.",
                           "/api/v2/version;x",
                           "/api/v2/version%2F",
                           "/api/v2/./version",
                           "/api/v2/dags/../version",
                           "/api/v2/dags/..;/version",
                           "/api/v2/%76ersion",
                           "/%61pi/v2/version",
                           "/API/v2/version",
                           "/api/v2/Version",
                           "/api/v2%2Fversion",
                           "/api/v2/version%20",
                           "/api/v2/%2e/version",
                           "http://x/api/v2/version",
                           "api/v2/version",
                           "",
                           "*"}) {
    const std::string without = said("GET", path, "");
    EXPECT_TRUE(without == "404" || without == "401") << path << ": " << without;
    EXPECT_EQ(said("GET", path), "404") << path;
  }
}

TEST_F(RouterTest, other_spellings_of_a_token_route_give_no_more_access) {
  for (const char* path :
       {"/api/v2/dags/etl", "//api/v2/dags/etl", "/api//v2/dags/etl", "/api/v2/dags/etl/",
        "/api/v2/dags/etl;x", "/api/v2/dags/etl%2F", "/api/v2/dags/./etl", "/api/v2/x/../dags/etl",
        "/api/v2/..;/dags/etl", "/%61pi/v2/dags/etl", "/API/v2/dags/etl", "/api/v2/dags/etl%00"}) {
    for (const char* method : {"GET", "HEAD", "PATCH", "OPTIONS", "TRACE", "DELETE", "get"}) {
      for (const char* token : {"", "nothing", "right "}) {
        const std::string got = said(method, path, token);
        EXPECT_TRUE(got == "401" || got == "404") << method << " " << path << ": " << got;
      }
    }
  }
}

TEST_F(RouterTest, without_a_token_nobody_learns_what_exists) {
  EXPECT_EQ(said("GET", "/api/v2/dags/etl", ""), "401");
  EXPECT_EQ(said("GET", "/api/v2/nothing", ""), "401");
  EXPECT_EQ(said("DELETE", "/api/v2/dags/etl", ""), "401");
  EXPECT_EQ(said("OPTIONS", "/api/v2/dags/etl", ""), "401");
  EXPECT_EQ(said("GET", "/api", ""), "401");
  EXPECT_EQ(said("GET", "/execution/x/y", ""), "401");
  EXPECT_EQ(said("GET", "/apis", ""), "404");
  EXPECT_EQ(said("GET", "/nothing", ""), "404");
}

TEST_F(RouterTest, refusals_say_what_airflow_says) {
  const Response nobody = ask("GET", "/api/v2/dags/etl", "");
  EXPECT_EQ(nobody.body, R"({"detail":"Not authenticated"})");
  ASSERT_EQ(nobody.headers.size(), 1U);
  EXPECT_EQ(nobody.headers[0], std::pair(std::string("WWW-Authenticate"), std::string("Bearer")));
  EXPECT_EQ(ask("GET", "/api/v2/nothing").body, R"({"detail":"Not Found"})");
}

TEST_F(RouterTest, another_method_is_405_with_the_methods_there_are) {
  const Response answer = ask("DELETE", "/api/v2/dags/etl");
  EXPECT_EQ(answer.status, 405);
  ASSERT_EQ(answer.headers.size(), 1U);
  EXPECT_EQ(answer.headers[0].second, "GET, HEAD, OPTIONS, PATCH");
  EXPECT_EQ(said("POST", "/api/v2/version", ""), "405");
  EXPECT_EQ(said("TRACE", "/", ""), "405");
}

TEST_F(RouterTest, options_lists_the_methods) {
  const Response answer = ask("OPTIONS", "/api/v2/dags/etl");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.headers.at(0).second, "GET, HEAD, OPTIONS, PATCH");
}

TEST_F(RouterTest, head_is_answered_by_the_get_route) {
  EXPECT_EQ(said("HEAD", "/api/v2/dags/etl"), "get dag for ada dag_id=etl");
}

TEST_F(RouterTest, a_body_over_the_limit_of_its_route_is_413_after_the_token) {
  EXPECT_EQ(ask("PATCH", "/api/v2/dags/etl", "right", "0123456789").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v2/dags/etl", "right", "0123456789a").status, 413);
  EXPECT_EQ(ask("PATCH", "/api/v2/dags/etl", "", "0123456789a").status, 401);
}

TEST_F(RouterTest, an_over_long_segment_matches_nothing) {
  EXPECT_EQ(said("GET", "/api/v2/dags/" + std::string(3000, 'a')).substr(0, 7), "get dag");
  EXPECT_EQ(said("GET", "/api/v2/dags/" + std::string(3001, 'a')), "404");
}

TEST(Router, a_guard_refuses_by_the_head_alone) {
  Router router;
  Route route{.method = "PUT",
              .pattern = "/x/{id}",
              .access = Access::Open,
              .handler = answer_with("x"),
              .operation_id = "x"};
  route.guard = [](const Request& head) -> std::optional<Response> {
    if (head.params.at("id") == "good") return std::nullopt;
    return error_response(403, "not " + head.params.at("id"));
  };
  router.add(route);
  Request head;
  head.method = "PUT";
  head.path = "/x/bad";
  const auto refused = router.admit(head);
  ASSERT_TRUE(std::holds_alternative<Response>(refused));
  EXPECT_EQ(std::get<Response>(refused).body, R"({"detail":"not bad"})");
  head.path = "/x/good";
  EXPECT_TRUE(std::holds_alternative<const Route*>(router.admit(head)));
}

TEST(Router, without_an_authenticator_a_token_route_is_closed) {
  Router router;
  router.add({.method = "GET",
              .pattern = "/x",
              .access = {},
              .handler = answer_with("x"),
              .operation_id = "x"});
  Request request;
  request.method = "GET";
  request.path = "/x";
  auto reply = std::make_shared<RecordingReply>();
  router.handle(request, reply);
  EXPECT_EQ(reply->answer->status, 401);
}

TEST(RouterDeathTest, one_pattern_has_one_route_for_a_method) {
  Router router;
  const Route route{.method = "GET",
                    .pattern = "/x/{a}",
                    .access = Access::Open,
                    .handler = answer_with("x"),
                    .operation_id = "x"};
  router.add(route);
  Route twin = route;
  twin.pattern = "/x/{b}";
  EXPECT_DEATH(router.add(twin), "broken invariant");
}

}  // namespace
}  // namespace etesian::http
