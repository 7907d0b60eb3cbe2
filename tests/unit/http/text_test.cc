#include <gtest/gtest.h>

#include "http/chunk_decoder.h"
#include "http/encoding.h"
#include "http/host_rule.h"
#include "http/http.h"
#include "http/request_head.h"
#include "http/response_text.h"

namespace etesian::http {
namespace {

TEST(PercentCode, all_bytes_survive_a_round_trip) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a b+c/d.~%é"), "a%20b%2Bc%2Fd.~%25%C3%A9");
}

TEST(PercentCode, a_malformed_escape_is_no_text) {
  for (const char* text : {"%", "%1", "a%", "%g0", "%0g", "%%41", "%-1"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(percent_decode("a+b%2b"), "a+b+");
}

TEST(Query, is_decoded_once_in_order_with_repeats) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(
      parse_query("a=1&b=x+y&a=%2B%2520&flag&=v&&c=d=e"),
      (Pairs{{"a", "1"}, {"b", "x y"}, {"a", "+%20"}, {"flag", ""}, {"", "v"}, {"c", "d=e"}}));
  EXPECT_EQ(parse_query(""), Pairs{});
  EXPECT_EQ(parse_query("a=%00"), std::nullopt);
  EXPECT_EQ(parse_query("a=%x"), std::nullopt);
}

std::string feed(std::string_view input, std::size_t piece_bytes, std::size_t max = 100) {
  ChunkDecoder decoder;
  std::string body;
  for (std::size_t at = 0; at < input.size();) {
    const auto [state, consumed] = decoder.feed(input.substr(at, piece_bytes), body, max);
    at += consumed;
    if (state == ChunkDecoder::State::Malformed) return "malformed";
    if (state == ChunkDecoder::State::TooLarge) return "too large";
    if (state == ChunkDecoder::State::Done) return body + "|" + std::string(input.substr(at));
  }
  return body + "...";
}

TEST(ChunkedBody, is_the_same_however_it_is_cut) {
  const std::string_view text =
      "5;a=\"b\"\r\nhello\r\n00A\r\n, my world\r\n0\r\nX-Sum: 1\r\n\r\nGET /";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(feed(text, piece), "hello, my world|" + std::string("GET /").substr(0, 5));
  }
}

TEST(ChunkedBody, whatever_is_not_exact_is_malformed) {
  for (const char* text :
       {"\r\n", "g\r\n", "5\nhello\r\n", "5\rhello", "+5\r\n", "-1\r\n", "0x5\r\n", " 5\r\n",
        "5 \r\n", "5\r\nhello0\r\n", "5\r\nhello\n0\r\n\r\n", "0\r\n\n", "0\r\n X: y\r\n\r\n",
        "0\r\nX y\r\n\r\n", "0\r\nX: a\nb\r\n\r\n", "1;a\nb\r\n", "1000000000000000\r\n",
        "0000000000000000\r\n"}) {
    EXPECT_EQ(feed(text, 1), "malformed") << text;
    EXPECT_EQ(feed(text, 99), "malformed") << text;
  }
  EXPECT_EQ(feed("1;" + std::string(20'000, 'x') + "\r\n", 4096), "malformed");
}

TEST(ChunkedBody, is_too_large_as_soon_as_a_size_says_so) {
  EXPECT_EQ(feed("65\r\n", 99), "too large");
  EXPECT_EQ(feed("fffffffffffffff\r\n", 99), "too large");
  EXPECT_EQ(feed("5\r\nhello\r\n6\r\n", 99, 10), "too large");
  EXPECT_EQ(feed("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 99, 10), "helloworld|");
}

std::string parsed(std::string_view text) {
  const auto head = parse_request_head(text);
  if (!head) return head.error().message;
  return head->request.method + " " + head->request.path;
}

TEST(RequestHead, is_taken_apart) {
  const auto head = parse_request_head(
      "POST /a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-A: \t b c \t\r\nContent-Length: 007\r\n"
      "Connection: keep-alive, Close\r\nExpect: 100-Continue\r\n\r\n");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->request.path, "/a%2Fb");
  EXPECT_EQ(head->request.query_value("x"), "1");
  EXPECT_EQ(head->request.header("x-a"), "b c");
  EXPECT_EQ(head->request.header("x-empty"), "");
  EXPECT_EQ(head->content_length, 7U);
  EXPECT_FALSE(head->keep_alive);
  EXPECT_TRUE(head->expects_continue);
}

TEST(RequestHead, whatever_two_parsers_could_read_differently_is_malformed) {
  const std::string host = "Host: h\r\n";
  for (const std::string& fields :
       {std::string("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        std::string("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
        std::string("Content-Length: 1\r\nContent-Length: 1\r\n"),
        std::string("Content-Length: 1\r\ncontent-length: 2\r\n"),
        std::string("Content-Length: 1, 1\r\n"),
        std::string("Content-Length: +1\r\n"),
        std::string("Content-Length: -1\r\n"),
        std::string("Content-Length: 0x1\r\n"),
        std::string("Content-Length:\r\n"),
        std::string("Content-Length: 1 1\r\n"),
        std::string("Content-Length: 99999999999999999999\r\n"),
        std::string("Content-Length : 1\r\n"),
        std::string(" Content-Length: 1\r\n"),
        std::string("Transfer-Encoding: identity\r\n"),
        std::string("Transfer-Encoding: chunked, chunked\r\n"),
        std::string("Transfer-Encoding: gzip, chunked\r\n"),
        std::string("Transfer-Encoding: xchunked\r\n"),
        std::string("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        std::string("Transfer-Encoding:\vchunked\r\n"),
        std::string("Transfer-Encoding : chunked\r\n"),
        std::string("X: a\r\n b\r\n"),
        std::string("X: a\r\n\tb\r\n"),
        std::string("X: a\rb\r\n"),
        std::string("X: a\nb\r\n"),
        std::string("X: a\0b\r\n", 8),
        std::string("X\r\n"),
        std::string(": x\r\n"),
        std::string("X(: x\r\n"),
        std::string("Host: other\r\n"),
        std::string("Expect: tea\r\n"),
        std::string("X\xff: a\r\n")}) {
    EXPECT_EQ(parsed("POST / HTTP/1.1\r\n" + host + fields + "\r\n").substr(0, 9), "malformed")
        << fields;
  }
  for (const std::string& line : {std::string("GET  / HTTP/1.1"),
                                  std::string("GET / HTTP/1.1 "),
                                  std::string(" GET / HTTP/1.1"),
                                  std::string("GET /a b HTTP/1.1"),
                                  std::string("GET\t/\tHTTP/1.1"),
                                  std::string("GET /"),
                                  std::string("GET / http/1.1"),
                                  std::string("GET / HTTP/1.10"),
                                  std::string("GET / HTTP/2.0"),
                                  std::string("GET / HTTP/0.9"),
                                  std::string("GET http://h/ HTTP/1.1"),
                                  std::string("GET h:1 HTTP/1.1"),
                                  std::string("CONNECT h:1 HTTP/1.1"),
                                  std::string("OPTIONS * HTTP/1.1"),
                                  std::string("G(T / HTTP/1.1"),
                                  std::string("GET /#a HTTP/1.1"),
                                  std::string("GET /\xc3\xa9 HTTP/1.1"),
                                  std::string("GET /\x01 HTTP/1.1"),
                                  std::string("GET /?a=%x HTTP/1.1"),
                                  std::string("GET /\r HTTP/1.1"),
                                  std::string(" HTTP/1.1"),
                                  std::string()}) {
    EXPECT_EQ(parsed(line + "\r\n" + host + "\r\n").substr(0, 9), "malformed") << line;
  }
  EXPECT_EQ(parsed("GET / HTTP/1.1\r\n\r\n"), "malformed request: no Host");
  EXPECT_EQ(parsed("GET / HTTP/1.0\r\n\r\n"), "GET /");
  EXPECT_EQ(parsed("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "malformed request: Transfer-Encoding");
}

TEST(RequestHead, its_end_is_found_byte_by_byte) {
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
  std::size_t from = 0;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    const HeadScan scan = scan_head(std::string_view(text).substr(0, size), from);
    if (scan.state == HeadScan::State::Complete) {
      EXPECT_EQ(text.substr(scan.end), "rest");
      return;
    }
    ASSERT_EQ(scan.state, HeadScan::State::Incomplete);
    from = scan.end;
  }
  FAIL();
}

TEST(RequestHead, another_protocol_is_refused_at_its_first_bytes) {
  for (const char* text : {"\x16\x03\x01", "\r\nGET", "GET / HTTP/1.1\n", "\n"}) {
    EXPECT_EQ(scan_head(text, 0).state, HeadScan::State::Malformed) << text;
  }
}

TEST(HostRule, on_loopback_only_its_own_names_are_answered) {
  const HostRule rule(HostRule::Bound::Loopback, {});
  for (const char* host :
       {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(rule.allows(host)) << host;
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example", "localhost.",
                           "127.0.0.1.nip.io", "localhost:", "localhost:x", "localhost:1:2", "::1",
                           "[::1", "a@localhost", "127.0.0.2", "localhost:999999", "[::1]x"}) {
    EXPECT_FALSE(rule.allows(host)) << host;
  }
}

TEST(HostRule, configured_names_are_added_on_loopback_and_bind_elsewhere) {
  const HostRule loopback(HostRule::Bound::Loopback, {"Etesian.example"});
  EXPECT_TRUE(loopback.allows("etesian.example:443"));
  EXPECT_TRUE(loopback.allows("localhost"));
  const HostRule elsewhere(HostRule::Bound::Elsewhere, {"etesian.example"});
  EXPECT_TRUE(elsewhere.allows("ETESIAN.example"));
  EXPECT_FALSE(elsewhere.allows("localhost"));
  EXPECT_TRUE(HostRule(HostRule::Bound::Elsewhere, {}).allows("anything"));
}

TEST(ResponseText, a_hostile_value_cannot_add_a_header) {
  std::string out;
  append_response(out,
                  {.status = 200,
                   .body = "x",
                   .content_type = "text/plain\r\nA: b",
                   .headers = {{"Location", "/a\r\nSet-Cookie: b"},
                               {"Bad name", "c"},
                               {"Content-Length", "9"},
                               {"content-security-policy", "none"}}},
                  {.date = "now"});
  EXPECT_NE(out.find("Content-Type: text/plain  A: b\r\n"), std::string::npos);
  EXPECT_NE(out.find("Location: /a  Set-Cookie: b\r\n"), std::string::npos);
  EXPECT_EQ(out.find("Bad name"), std::string::npos);
  EXPECT_EQ(out.find("Content-Length: 9"), std::string::npos);
  EXPECT_EQ(out.find("content-security-policy"), std::string::npos);
}

TEST(ResponseText, the_date_is_as_rfc_9110_wants_it) {
  DateText date;
  EXPECT_EQ(date.at(Instant(std::chrono::seconds(784111777))), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(Instant(std::chrono::seconds(784111778))), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(ErrorResponse, speaks_airflows_language) {
  const Response response =
      error_response(Error{ErrorCode::Conflict, "add run \"x\": it exists\n"});
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.body, R"({"detail":"add run \"x\": it exists\n"})");
}

}  // namespace
}  // namespace etesian::http
