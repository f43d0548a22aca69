// The shortest text of a double, which C++17 has and Swift has only as a String.
#include "CShims.h"

#include <charconv>
#include <cmath>

extern "C" size_t millrace_format_double(double value, char *output) {
    double magnitude = std::fabs(value);
    // Within these bounds the plain form is the one that people expect, and it is short.
    bool is_plain = magnitude == 0 || (magnitude >= 1e-5 && magnitude < 1e15);
    auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
    char *end = std::to_chars(output, output + 30, value, format).ptr;
    if (is_plain && magnitude == std::trunc(magnitude)) {
        *end++ = '.';
        *end++ = '0';
    }
    return static_cast<size_t>(end - output);
}
