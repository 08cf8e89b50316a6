// The options of plugins that speak to a server, and the client that they make.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/client.h"
#include "tenon/host.hpp"
#include "tenon/options.hpp"

namespace tenon::http {

// A server as options give it.
struct Endpoint {
  Url url;
  Headers headers;  // of every request, the token's included
  Settings settings;
};

// Reads kUrl … kVerify; at: what stands before their names, "server.". Throws Error that names the option. Where the environment has a proxy that the options do not take, the log says so. A token is read from
// the environment variable that token_env names, so that it stands in no configuration and no run folder.
Endpoint endpoint_of(Host host, const std::string& at = "");

// For a component's constructor, with probe: true. Asks once, GET `target`, whether somebody is there who lets the plugin in; what the server says to a GET is no matter.
// The answer, if one of status 2xx came. Throws Error for no connection, no answer in time (10 s at most), 401 and 403, with what to do.
std::optional<Response> probe(Host host, const Endpoint& endpoint, const std::string& target,
                              const std::string& at = "");

// Rules between these options, for a component's `check`.
void check_endpoint(Host host, Findings& findings, const std::string& at = "");

constexpr tenon_option kUrl =
    text("url", nullptr, "The server's address, http:// or https://.", {.flags = TENON_O_REQUIRED});
constexpr tenon_option kHeaders =
    text("headers", nullptr, "Headers of each request, \"Name: value\".", {.flags = TENON_O_LIST});
constexpr tenon_option kTokenEnv =
    text("token_env", nullptr,
         "Environment variable with a token, sent as Authorization: Bearer. Left out: none is sent.");
constexpr tenon_option kTimeout =
    option(TENON_T_DURATION, "timeout", "\"60s\"", "Of one attempt, to the last byte of its answer.");
constexpr tenon_option kConnectTimeout =
    option(TENON_T_DURATION, "connect_timeout", "\"10s\"", "Of a connection and its TLS handshake.");
constexpr tenon_option kAttempts =
    integer("attempts", "4", "How often a request is tried before its sample has no reward.",
            {.min = "1", .max = "100"});
constexpr tenon_option kBackoff =
    option(TENON_T_DURATION, "backoff", "\"0.5s\"",
           "Before the second attempt; it doubles, times a random number from 0.5 to 1.");
constexpr tenon_option kConcurrency =
    integer("concurrency", "16", "Requests under way at a time.", {.min = "1", .max = "4096"});
constexpr tenon_option kProbe =
    boolean("probe", "true",
            "Whether the server is asked once at the start (GET, without a sample): one that is not there, "
            "or does not accept the token, is then an "
            "error before the run. false: of a server that is started later.");
constexpr tenon_option kProxy = text("proxy", nullptr,
                                     "\"http://host:port\", or environment: the one in https_proxy or "
                                     "http_proxy. Left out: none, whatever the environment says.");
constexpr tenon_option kCaFile = path("ca_file", "Certificates to trust, PEM. Left out: the system's.");
constexpr tenon_option kVerify =
    boolean("verify", "true", "Whether the server's certificate and name must be right.");

}  // namespace tenon::http
