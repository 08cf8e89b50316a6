// Stories, people and things. A change here changes every row: raise the plugin's version with it.
// SPDX-License-Identifier: Apache-2.0
#include "stories.h"

namespace tenon::arithmetic {
namespace {

constexpr Story kStories[] = {
    {"+", "{a} has {x} {o} and buys {y} more. How many {o} does {a} have now?"},
    {"+", "There are {x} {o} on the table and {y} {o} in the box. How many {o} are there in all?"},
    {"+", "{a} has {x} {o} and {b} has {y} {o}. How many {o} do they have together?"},
    {"+",
     "In the morning {a} counts {x} {o}, in the evening {y} more. How many {o} does {a} count that day?"},
    {"+", "{a} has {x} {o}. {b} has {y} more than {a}. How many {o} does {b} have?"},
    {"-", "{a} has {x} {o} and gives {y} of them to {b}. How many {o} does {a} have left?"},
    {"-", "There are {x} {o} in a box. {a} takes {y} of them out. How many {o} are still in the box?"},
    {"-", "{a} has {x} {o}. {b} has {y} fewer than {a}. How many {o} does {b} have?"},
    {"-", "{a} needs {x} {o} and already has {y}. How many {o} are missing?"},
    {"-", "A shop has {x} {o} and sells {y} of them. How many {o} remain?"},
    {"*", "{a} fills {x} bags with {y} {o} each. How many {o} are in the bags?"},
    {"*", "There are {x} shelves with {y} {o} on each. How many {o} are there?"},
    {"*", "{a} buys {y} {o} every day for {x} days. How many {o} does {a} buy?"},
    {"++",
     "{a} has {x} {o}, {b} has {y} and a third friend has {z}. How many {o} do the three have together?"},
    {"++",
     "A shop sells {x} {o} on Monday, {y} on Tuesday and {z} on Wednesday. How many {o} does it sell in the "
     "three days?"},
    {"+-", "{a} has {x} {o}, finds {y} more and then gives {z} to {b}. How many {o} does {a} have now?"},
    {"+-",
     "There are {x} {o} in one box and {y} in another. {a} takes {z} of them away. How many {o} remain?"},
    {"-+", "{a} has {x} {o}, loses {y} and then buys {z} new ones. How many {o} does {a} have now?"},
    {"-+", "A shelf holds {x} {o}. {a} removes {y} and {b} adds {z}. How many {o} are on the shelf now?"},
    {"--", "{a} has {x} {o}, gives {y} to {b} and sells {z}. How many {o} does {a} have left?"},
    {"*+",
     "{a} fills {x} bags with {y} {o} each and has {z} {o} left over. How many {o} does {a} have in all?"},
    {"*+", "There are {x} rows of {y} {o}, and {z} more beside them. How many {o} are there?"},
    {"*-", "{a} buys {x} packs of {y} {o} and gives {z} {o} to {b}. How many {o} does {a} keep?"},
    {"*-", "There were {x} boxes with {y} {o} each. {z} {o} broke. How many {o} are still whole?"},
};

constexpr std::string_view kPeople[] = {"Tom",   "Anna", "Ben",  "Clara", "David",  "Emma",  "Felix", "Grace",
                                        "Henry", "Iris", "Jack", "Kate",  "Leo",    "Mia",   "Noah",  "Olga",
                                        "Paul",  "Rosa", "Sam",  "Tina",  "Victor", "Wendy", "Yusuf", "Zoe"};
constexpr std::string_view kThings[] = {"apples",  "books",    "marbles", "pencils", "stamps",
                                        "coins",   "cookies",  "cards",   "shells",  "stickers",
                                        "buttons", "balloons", "oranges", "toys",    "cups",
                                        "flowers", "candles",  "plates",  "lemons",  "beads"};

}  // namespace

std::span<const Story> stories() {
  return kStories;
}
std::span<const std::string_view> people() {
  return kPeople;
}
std::span<const std::string_view> things() {
  return kThings;
}

}  // namespace tenon::arithmetic
