#include <future>
#include <thread>

#include "support.h"

namespace etesian::http {
namespace {

/// Hands each stream that a client opens to the test.
class Streams {
 public:
  Router router() {
    Router router;
    router.add({.method = "GET",
                .pattern = "/events",
                .access = Access::Open,
                .handler =
                    [this](const Request&, std::shared_ptr<Reply> reply) {
                      opened_.set_value(reply->stream({.status = 200,
                                                       .body = "ignored",
                                                       .content_type = "text/event-stream",
                                                       .headers = {}}));
                    },
                .operation_id = "events"});
    router.add({.method = "GET",
                .pattern = "/hello",
                .access = Access::Open,
                .handler = answer_with("hello"),
                .operation_id = "hello"});
    return router;
  }
  std::shared_ptr<Stream> take() { return opened_.get_future().get(); }

 private:
  std::promise<std::shared_ptr<Stream>> opened_;
};

void ask(RawClient& client, std::string_view line = "GET /events HTTP/1.1") {
  client.send(std::string(line) + "\r\nHost: localhost\r\n\r\n");
}

/// What a client that reads nothing lets us write until it is cut off.
std::size_t write_until_cut_off(Stream& stream) {
  const std::string chunk(64UL << 10, 'x');
  std::size_t written = 0;
  while (stream.write(chunk)) written += chunk.size();
  return written;
}

TEST(Stream, chunks_come_as_they_are_written_and_the_connection_lives_on) {
  Streams streams;
  const auto server = serve(streams.router());
  RawClient client(server->port());
  ask(client);
  const auto stream = streams.take();
  const std::string head = client.receive_until("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  EXPECT_TRUE(stream->write("data: 1\n\n"));
  EXPECT_EQ(client.receive_until("1\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(stream->write(""));
  EXPECT_TRUE(stream->write("data: 2\n\n"));
  EXPECT_EQ(client.receive_until("2\n\n\r\n"), "9\r\ndata: 2\n\n\r\n");
  stream->end();
  EXPECT_EQ(client.receive_until("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(stream->write("late"));
  ask(client, "GET /hello HTTP/1.1");
  EXPECT_EQ(body_of(client.receive_answer()), "hello");
}

TEST(Stream, a_client_that_hangs_up_closes_it) {
  Streams streams;
  const auto server = serve(streams.router());
  std::shared_ptr<Stream> stream;
  {
    RawClient client(server->port());
    ask(client);
    stream = streams.take();
    client.receive_until("\r\n\r\n");
  }
  while (stream->is_open()) std::this_thread::yield();
  EXPECT_FALSE(stream->write("x"));
}

TEST(Stream, a_slow_reader_is_cut_off_at_the_backlog_and_slows_nobody) {
  Streams streams;
  ServerOptions options;
  options.stream_backlog_bytes_max = 256UL << 10;
  const auto server = serve(streams.router(), options);
  RawClient slow(server->port(), 4096);
  ask(slow);
  const auto stream = streams.take();
  EXPECT_LT(write_until_cut_off(*stream), 64UL << 20);
  EXPECT_FALSE(stream->is_open());
  RawClient other(server->port());
  ask(other, "GET /hello HTTP/1.1");
  EXPECT_EQ(body_of(other.receive_answer()), "hello");
  slow.receive_all();  // the server has reset it: this ends
}

TEST(Stream, a_reader_that_stalls_below_the_backlog_is_cut_off_in_time) {
  Streams streams;
  ServerOptions options;
  options.idle_timeout = std::chrono::milliseconds(100);
  options.stream_backlog_bytes_max = 64UL << 20;
  const auto server = serve(streams.router(), options);
  RawClient stalled(server->port(), 4096);
  ask(stalled);
  const auto stream = streams.take();
  EXPECT_TRUE(stream->write(std::string(32UL << 20, 'x')));
  while (stream->is_open()) std::this_thread::yield();
}

TEST(Stream, dropped_without_an_end_the_answer_is_visibly_incomplete) {
  Streams streams;
  const auto server = serve(streams.router());
  RawClient client(server->port());
  ask(client);
  auto stream = streams.take();
  client.receive_until("\r\n\r\n");
  stream->write("part");
  client.receive_until("part\r\n");
  stream.reset();
  EXPECT_EQ(client.receive_all(), "");
}

TEST(Stream, head_gets_the_head_alone) {
  Streams streams;
  const auto server = serve(streams.router());
  RawClient client(server->port());
  ask(client, "HEAD /events HTTP/1.1");
  const auto stream = streams.take();
  client.receive_until("\r\n\r\n");
  while (stream->is_open()) std::this_thread::yield();
  ask(client, "GET /hello HTTP/1.1");
  EXPECT_EQ(body_of(client.receive_answer()), "hello");
}

TEST(Stream, an_http_1_0_client_reads_to_the_end_of_the_connection) {
  Streams streams;
  const auto server = serve(streams.router());
  RawClient client(server->port());
  ask(client, "GET /events HTTP/1.0");
  const auto stream = streams.take();
  stream->write("a");
  stream->write("b");
  stream->end();
  EXPECT_EQ(body_of(client.receive_all()), "ab");
}

TEST(Stream, survives_the_server) {
  Streams streams;
  auto server = serve(streams.router());
  RawClient client(server->port());
  ask(client);
  const auto stream = streams.take();
  client.receive_until("\r\n\r\n");
  server.reset();
  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(stream->write("x"));
  stream->end();
}

TEST(Stream, many_writers_and_a_reader_lose_nothing) {
  Streams streams;
  ServerOptions options;
  options.stream_backlog_bytes_max = 64UL << 20;
  const auto server = serve(streams.router(), options);
  RawClient client(server->port());
  ask(client);
  const auto stream = streams.take();
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&stream] {
      for (int line = 0; line < 2000; ++line) stream->write("line\n");
    });
  }
  for (auto& writer : writers) writer.join();
  stream->end();
  const std::string all = client.receive_until("\r\n0\r\n\r\n");
  std::size_t lines = 0;
  for (std::size_t at = all.find("line\n"); at != std::string::npos;
       at = all.find("line\n", at + 1))
    ++lines;
  EXPECT_EQ(lines, 8000U);
}

}  // namespace
}  // namespace etesian::http
