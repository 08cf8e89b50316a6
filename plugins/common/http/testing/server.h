// For tests: an HTTP server on this machine that answers what a function says, plain or with a certificate made on the spot.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace tenon::http::testing {

struct Seen {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  // names in lower case
};
struct Answer {
  unsigned status = 200;
  std::string body;
  std::map<std::string, std::string> headers;
  bool closes = false;    // the connection, after the answer
  bool hangs_up = false;  // without an answer
  double delay = 0;       // seconds before it
};

// A certificate for "localhost" and 127.0.0.1 that signs itself, and its key; PEM.
struct Certificate {
  std::string certificate, key;

  static Certificate make() {
    EVP_PKEY* key = EVP_RSA_gen(2048);
    X509* x509 = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_get_notBefore(x509), -3600);
    X509_gmtime_adj(X509_get_notAfter(x509), 3600);
    X509_set_version(x509, 2);
    X509_set_pubkey(x509, key);
    X509_NAME* name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                               -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(x509, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x509, key, EVP_sha256());
    Certificate out{pem([&](BIO* bio) { PEM_write_bio_X509(bio, x509); }), pem([&](BIO* bio) {
                      PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                    })};
    X509_free(x509);
    EVP_PKEY_free(key);
    return out;
  }

 private:
  template <class Write>
  static std::string pem(Write&& write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const long n = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<size_t>(n));
    BIO_free(bio);
    return text;
  }
};

// Listens from its construction to its destruction, each connection on a thread of its own. `handle` is called on them.
class Server {
 public:
  using Handler = std::function<Answer(const Seen&)>;

  explicit Server(Handler handle, const Certificate* certificate = nullptr)
      : handle_(std::move(handle)), acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    if (certificate != nullptr) {
      tls_.emplace(boost::asio::ssl::context::tls_server);
      tls_->use_certificate_chain(boost::asio::buffer(certificate->certificate));
      tls_->use_private_key(boost::asio::buffer(certificate->key), boost::asio::ssl::context::pem);
    }
    listener_ = std::thread([this] { listen(); });
  }
  ~Server() {
    is_closing_ = true;
    boost::system::error_code ignored;
    {
      boost::asio::io_context io;  // wakes the listener up
      boost::asio::ip::tcp::socket last(io);
      last.connect({boost::asio::ip::make_address("127.0.0.1"), port()}, ignored);
    }
    listener_.join();
    {
      std::lock_guard lock(mutex_);
      for (auto& socket : sockets_) ::shutdown(socket->native_handle(), SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  unsigned short port() const { return acceptor_.local_endpoint().port(); }
  std::string url(const std::string& path = "/", const std::string& host = "127.0.0.1") const {
    return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port()) + path;
  }
  int connections() const { return connections_; }
  int requests() const { return requests_; }

 private:
  using Socket = boost::asio::ip::tcp::socket;

  void listen() {
    while (true) {
      auto socket = std::make_shared<Socket>(io_);
      boost::system::error_code error;
      acceptor_.accept(*socket, error);
      if (is_closing_) return;
      if (error) continue;
      ++connections_;
      std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] {
        try {
          if (tls_) {
            boost::beast::ssl_stream<Socket&> stream(*socket, *tls_);
            stream.handshake(boost::asio::ssl::stream_base::server);
            serve(stream);
          } else {
            serve(*socket);
          }
        } catch (const std::exception&) {  // the client went away, or does not like the certificate
        }
        ::shutdown(socket->native_handle(), SHUT_RDWR);
      });
    }
  }

  template <class Stream>
  void serve(Stream& stream) {
    namespace http = boost::beast::http;
    boost::beast::flat_buffer buffer;
    while (true) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(64 << 20);
      http::read(stream, buffer, parser);
      const auto request = parser.release();
      ++requests_;
      Seen seen{std::string(request.method_string()), std::string(request.target()), request.body(), {}};
      for (const auto& field : request) {
        std::string name(field.name_string());
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        seen.headers[name] = std::string(field.value());
      }
      const Answer answer = handle_(seen);
      for (double slept = 0; slept < answer.delay && !is_closing_; slept += 0.01)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (answer.hangs_up) return;
      http::response<http::string_body> response{static_cast<http::status>(answer.status), 11};
      for (const auto& [name, value] : answer.headers) response.set(name, value);
      response.body() = answer.body;
      response.keep_alive(!answer.closes);
      response.prepare_payload();
      http::write(stream, response);
      if (answer.closes) return;
    }
  }

  Handler handle_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::optional<boost::asio::ssl::context> tls_;
  std::atomic<bool> is_closing_{false};
  std::atomic<int> connections_{0}, requests_{0};
  std::mutex mutex_;
  std::list<std::shared_ptr<Socket>> sockets_;
  std::list<std::thread> threads_;
  std::thread listener_;
};

}  // namespace tenon::http::testing
