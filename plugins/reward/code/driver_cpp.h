// The C++ side of reward `code`: calls of one function across two processes. Text that is compiled in the box, into the tests' program (which calls) and
// into the solution's (which answers); the two share a socket, descriptor 3, and know nothing else of each other.
// SPDX-License-Identifier: Apache-2.0
#if __cplusplus < 201703L
#error "a row with a function is compiled as C++17 or later; see option flags"
#endif
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace tenon_box_ {

constexpr int kPeer = 3;
constexpr int kPeerIsGone = 66;  // exit status of the tests' program

struct Out {
  std::string bytes;
  void raw(const void* p, std::size_t n) { bytes.append(static_cast<const char*>(p), n); }
  void size(std::uint64_t n) { raw(&n, sizeof n); }
};
struct In {
  const char *at, *end;
  void raw(void* p, std::size_t n) {
    if (static_cast<std::size_t>(end - at) < n) _exit(kPeerIsGone);
    __builtin_memcpy(p, at, n);
    at += n;
  }
  std::uint64_t size() {
    std::uint64_t n = 0;
    raw(&n, sizeof n);
    if (n > static_cast<std::uint64_t>(end - at)) _exit(kPeerIsGone);
    return n;
  }
};

template <class T, class = void>
struct Codec;  // no definition: values of this type do not cross processes

template <class T>
struct Codec<T, std::enable_if_t<std::is_arithmetic_v<T>>> {
  static void put(Out& o, T v) { o.raw(&v, sizeof v); }
  static T get(In& i) {
    T v{};
    if constexpr (std::is_same_v<T, bool>) {
      unsigned char byte = 0;
      i.raw(&byte, 1);
      v = byte != 0;
    } else {
      i.raw(&v, sizeof v);
    }
    return v;
  }
};
template <>
struct Codec<std::string> {
  static void put(Out& o, const std::string& v) {
    o.size(v.size());
    o.raw(v.data(), v.size());
  }
  static std::string get(In& i) {
    std::string v(i.size(), '\0');
    i.raw(&v[0], v.size());
    return v;
  }
};
template <class A, class B>
struct Codec<std::pair<A, B>> {
  using First = std::remove_const_t<A>;
  static void put(Out& o, const std::pair<A, B>& v) {
    Codec<First>::put(o, v.first);
    Codec<B>::put(o, v.second);
  }
  static std::pair<A, B> get(In& i) {
    First first = Codec<First>::get(i);
    return {std::move(first), Codec<B>::get(i)};
  }
};
template <class... A>
struct Codec<std::tuple<A...>> {
  static void put(Out& o, const std::tuple<A...>& v) {
    std::apply([&](const auto&... each) { (Codec<std::decay_t<decltype(each)>>::put(o, each), ...); }, v);
  }
  static std::tuple<A...> get(In& i) { return std::tuple<A...>{Codec<A>::get(i)...}; }
};
template <class T>
struct Codec<std::optional<T>> {
  static void put(Out& o, const std::optional<T>& v) {
    Codec<bool>::put(o, v.has_value());
    if (v) Codec<T>::put(o, *v);
  }
  static std::optional<T> get(In& i) {
    if (!Codec<bool>::get(i)) return std::nullopt;
    return Codec<T>::get(i);
  }
};
// Containers: anything with insert at its end.
template <class T>
struct Codec<T, std::void_t<typename T::value_type,
                            decltype(std::declval<T&>().insert(std::declval<T&>().end(),
                                                               std::declval<typename T::value_type>()))>> {
  using Item = typename T::value_type;
  static void put(Out& o, const T& v) {
    o.size(v.size());
    for (const Item& item : v) Codec<Item>::put(o, item);
  }
  static T get(In& i) {
    T v;
    for (std::uint64_t n = i.size(); n > 0; --n) v.insert(v.end(), Codec<Item>::get(i));
    return v;
  }
};
#ifdef BOOST_ANY_INCLUDED
template <>
struct Codec<boost::any> {
  template <class T>
  static bool put_as(Out& o, const boost::any& v, char tag) {
    const T* inside = boost::any_cast<T>(&v);
    if (inside == nullptr) return false;
    o.raw(&tag, 1);
    Codec<T>::put(o, *inside);
    return true;
  }
  static void put(Out& o, const boost::any& v) {
    using namespace std;
    if (const char* const* text = boost::any_cast<const char*>(&v)) return put(o, boost::any(string(*text)));
    const bool known = put_as<int>(o, v, 'i') || put_as<long>(o, v, 'l') || put_as<double>(o, v, 'd') ||
                       put_as<float>(o, v, 'f') || put_as<bool>(o, v, 'b') || put_as<char>(o, v, 'c') ||
                       put_as<string>(o, v, 's') || put_as<vector<int>>(o, v, 'v') ||
                       put_as<list<boost::any>>(o, v, 'L') || put_as<vector<boost::any>>(o, v, 'V');
    if (!known) o.raw("?", 1);
  }
  static boost::any get(In& i) {
    using namespace std;
    char tag = 0;
    i.raw(&tag, 1);
    switch (tag) {
      case 'i':
        return Codec<int>::get(i);
      case 'l':
        return Codec<long>::get(i);
      case 'd':
        return Codec<double>::get(i);
      case 'f':
        return Codec<float>::get(i);
      case 'b':
        return Codec<bool>::get(i);
      case 'c':
        return Codec<char>::get(i);
      case 's':
        return Codec<string>::get(i);
      case 'v':
        return Codec<vector<int>>::get(i);
      case 'L':
        return Codec<list<boost::any>>::get(i);
      case 'V':
        return Codec<vector<boost::any>>::get(i);
      default:
        return {};
    }
  }
};
#endif

inline bool send(const Out& o) {
  const std::uint64_t n = o.bytes.size();
  std::string all(reinterpret_cast<const char*>(&n), sizeof n);
  all += o.bytes;
  for (std::size_t at = 0; at < all.size();) {
    const ssize_t w = write(kPeer, all.data() + at, all.size() - at);
    if (w <= 0) return false;
    at += static_cast<std::size_t>(w);
  }
  return true;
}
inline bool read_all(void* to, std::size_t n) {
  for (std::size_t at = 0; at < n;) {
    const ssize_t r = read(kPeer, static_cast<char*>(to) + at, n - at);
    if (r <= 0) return false;
    at += static_cast<std::size_t>(r);
  }
  return true;
}
inline bool receive(std::string& bytes) {
  std::uint64_t n = 0;
  if (!read_all(&n, sizeof n) || n > (std::uint64_t{1} << 26)) return false;
  bytes.resize(n);
  return read_all(&bytes[0], n);
}

// In the tests' program: asks for the result. What the function changes in its arguments changes here.
template <class R, class... A>
R call(A&... arguments) {
  Out o;
  (Codec<std::decay_t<A>>::put(o, arguments), ...);
  std::string answer;
  if (!send(o) || !receive(answer)) _exit(kPeerIsGone);
  In i{answer.data(), answer.data() + answer.size()};
  auto take = [&](auto& argument) {
    using T = std::decay_t<decltype(argument)>;
    T after = Codec<T>::get(i);
    if constexpr (!std::is_const_v<std::remove_reference_t<decltype(argument)>>) argument = std::move(after);
  };
  (take(arguments), ...);
  if constexpr (!std::is_void_v<R>) return Codec<std::decay_t<R>>::get(i);
}

// In the solution's program: answers until the tests have ended.
template <class R, class... A>
int serve(R (*function)(A...)) {
  std::string question;
  while (receive(question)) {
    In i{question.data(), question.data() + question.size()};
    std::tuple<std::decay_t<A>...> arguments{Codec<std::decay_t<A>>::get(i)...};
    Out result, o;
    std::apply(
        [&](auto&... each) {
          if constexpr (std::is_void_v<R>)
            function(each...);
          else
            Codec<std::decay_t<R>>::put(result, function(each...));
          (Codec<std::decay_t<decltype(each)>>::put(o, each), ...);
        },
        arguments);
    o.bytes += result.bytes;
    if (!send(o)) break;
  }
  return 0;
}

}  // namespace tenon_box_
