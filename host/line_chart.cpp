// Numbers over steps as a line chart.
// SPDX-License-Identifier: Apache-2.0
#include "host/line_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tenon::host {
namespace {

constexpr double kWidth = 820, kTop = 40, kBottom = 390, kLeft = 80, kRight = 740;
constexpr double kLegendTop = 450, kLegendLine = 20;
constexpr size_t kMostMarked = 60;  // with more points, the line alone

// Told apart with any colour vision (Okabe and Ito, Color Universal Design, 2008).
constexpr std::array<const char*, 7> kColours{"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                              "#E69F00", "#56B4E9", "#000000"};

std::string text(const char* format, double value) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), format, value);
  return out.data();
}

std::string at(double value) {
  return text("%.2f", value);
}

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

struct Scale {
  std::vector<double> ticks;
  double from, to;  // coordinates of the first and the last tick
  double operator()(double value) const {
    return from + (to - from) * (value - ticks.front()) / (ticks.back() - ticks.front());
  }
  // A tick with as many digits as its step asks for.
  std::string label(double tick) const {
    const double step = ticks[1] - ticks[0], most = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
    const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
    if (most >= 1e7 || decimals > 6) return text("%g", tick);
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%.*f", decimals, tick);
    return out.data();
  }
};

enum class Of { kX, kLeft, kRight };

// Nothing if no series is of it.
std::vector<double> ticks_of(const LineChart& chart, Of of) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const LineChart::Series& one : chart.series) {
    if (of != Of::kX && one.is_right != (of == Of::kRight)) continue;
    for (const auto& [x, y] : one.points) {
      low = std::min(low, of == Of::kX ? x : y);
      high = std::max(high, of == Of::kX ? x : y);
    }
  }
  return low <= high ? ticks(low, high) : std::vector<double>{};
}

std::string line(double x1, double y1, double x2, double y2, const char* colour) {
  return "<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) +
         "\" stroke=\"" + colour + "\"/>\n";
}

std::string words(double x, double y, const char* anchor, const std::string& text) {
  return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(text) +
         "</text>\n";
}

std::string drawn(const LineChart::Series& series, const Scale& x, const Scale& y, const char* colour) {
  std::string path, marks;
  for (const auto& [step, value] : series.points) {
    path += (path.empty() ? "" : " ") + at(x(step)) + "," + at(y(value));
    if (series.points.size() <= kMostMarked)
      marks += "<circle cx=\"" + at(x(step)) + "\" cy=\"" + at(y(value)) + "\" r=\"3\" fill=\"" + colour +
               "\"/>\n";
  }
  return "<polyline fill=\"none\" stroke=\"" + std::string(colour) + "\" stroke-width=\"2\"" +
         (series.is_right ? " stroke-dasharray=\"7 4\"" : "") + " points=\"" + path + "\"/>\n" + marks;
}

}  // namespace

std::vector<double> ticks(double low, double high) {
  constexpr double kLeast = 1e-300, kMost = 1e300;  // beyond them steps and lengths are no numbers any more
  low = std::clamp(low, -kMost, kMost), high = std::clamp(high, -kMost, kMost);
  const double most = std::max(std::abs(low), std::abs(high));
  if (high - low <=
      std::max(1e-9 * most, kLeast)) {  // a scale needs a length, whose steps a double can tell apart
    const double around = most <= kLeast ? 1 : most / 10;
    low -= around, high += around;
  }
  const double rough = (high - low) / 7, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power <= 1 ? 1 : rough / power <= 2 ? 2 : rough / power <= 5 ? 5 : 10);
  std::vector<double> out;
  const double first = std::floor(low / step);
  for (double k = first; out.size() < 2 || out.back() < high; ++k) out.push_back(k * step);
  return out;
}

std::string svg(const LineChart& chart) {
  const Scale x{ticks_of(chart, Of::kX), kLeft, kRight}, left{ticks_of(chart, Of::kLeft), kBottom, kTop},
      right{ticks_of(chart, Of::kRight), kBottom, kTop};
  const double height = kLegendTop + kLegendLine * static_cast<double>(chart.series.size());
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + at(kWidth) + "\" height=\"" +
                    at(height) + "\" viewBox=\"0 0 " + at(kWidth) + " " + at(height) +
                    "\" font-family=\"sans-serif\" font-size=\"13\">\n<title>" + escaped(chart.title) +
                    "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
  out += words(kWidth / 2, kTop - 16, "middle", chart.title);
  for (const double tick : left.ticks) {
    out += line(kLeft, left(tick), kRight, left(tick), "#DDDDDD");
    out += words(kLeft - 8, left(tick) + 4, "end", left.label(tick));
  }
  for (const double tick : right.ticks) {
    if (left.ticks.empty()) out += line(kLeft, right(tick), kRight, right(tick), "#DDDDDD");
    out += words(kRight + 8, right(tick) + 4, "start", right.label(tick));
  }
  for (const double tick : x.ticks) {
    out += line(x(tick), kBottom, x(tick), kBottom + 5, "#000000");
    out += words(x(tick), kBottom + 20, "middle", x.label(tick));
  }
  out += line(kLeft, kBottom, kRight, kBottom, "#000000") + line(kLeft, kTop, kLeft, kBottom, "#000000");
  if (!right.ticks.empty()) out += line(kRight, kTop, kRight, kBottom, "#000000");
  out += words((kLeft + kRight) / 2, kBottom + 40, "middle", chart.x_name);
  for (size_t k = 0; k < chart.series.size(); ++k) {
    const LineChart::Series& one = chart.series[k];
    const char* colour = kColours[k % kColours.size()];
    const double y = kLegendTop + kLegendLine * static_cast<double>(k);
    out += drawn(one, x, one.is_right ? right : left, colour);
    out += "<line x1=\"" + at(kLeft) + "\" y1=\"" + at(y - 4) + "\" x2=\"" + at(kLeft + 30) + "\" y2=\"" +
           at(y - 4) + "\" stroke=\"" + colour + "\" stroke-width=\"2\"" +
           (one.is_right ? " stroke-dasharray=\"7 4\"" : "") + "/>\n" +
           words(kLeft + 40, y, "start", one.name + (one.is_right ? " (right)" : ""));
  }
  return out + "</svg>\n";
}

}  // namespace tenon::host
