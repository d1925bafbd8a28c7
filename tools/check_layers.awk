# The rules of tools/check_layers, for any POSIX awk. A rule knows its room from the path: ddpm/<room>/file.

BEGIN {
  # What a room may include beyond itself and base; followed transitively. `backends` are the factory headers
  # ddpm/engine/X/X.h: they are all that rooms above the engine may know of a backend.
  arrow("base", "")
  arrow("image", "base")
  arrow("diffusion", "base")
  arrow("entropy", "base")
  arrow("net", "diffusion")
  arrow("engine", "net")
  arrow("backends", "engine")
  arrow("engine/cpu", "engine backends")
  arrow("engine/libtorch", "engine backends")
  arrow("data", "image")
  arrow("metrics", "data backends")
  arrow("likelihood", "data engine")
  arrow("codec", "image entropy backends")
  arrow("train", "data backends")
  arrow("serve", "codec backends")

  # Rooms whose doubles reach a pixel or a weight: glibc's functions give other bits with and without FMA.
  split("base image diffusion entropy net engine engine/cpu data likelihood codec train", list, " ")
  for (i in list) exact[list[i]] = 1

  libm = "(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sincos|asin|acos|atan|atan2|sinh|cosh|tanh|" \
         "asinh|acosh|atanh|erf|erfc|lgamma|tgamma|cbrt|hypot)[fl]?"
  random = "(mt19937(_64)?|minstd_rand0?|default_random_engine|random_device|s?rand|" \
           "(normal|uniform_real|uniform_int|bernoulli)_distribution)"
  stops = "(exit|_exit|_Exit|quick_exit|abort|terminate)"
  prints = "(printf|vprintf|puts|putchar|perror)"
  before = "(^|[^A-Za-z0-9_.:>])"  # not a member's and not another namespace's name
  after = "([^A-Za-z0-9_]|$)"
}

function arrow(room, to) {
  rooms[room] = 1
  arrows[room] = to
}

function may_include(from, to,   list, n, i) {
  if (from == to || to == "base" || from == "cli" || from == "") return 1  # "": tests, benches, fuzzers
  n = split(arrows[from], list, " ")
  for (i = 1; i <= n; ++i) {
    if (may_include(list[i], to)) return 1
  }
  return 0
}

# "ddpm/engine/cpu/conv.h" -> "engine/cpu"; "" outside ddpm/.
function room_of(path) {
  if (path !~ /^ddpm\/.*\//) return ""
  sub(/^ddpm\//, "", path)
  sub(/\/[^\/]*$/, "", path)
  return path
}

function is_factory(path,   part, n) {
  n = split(path, part, "/")
  return n == 4 && part[2] == "engine" && part[4] == part[3] ".h"
}

function complain(text) {
  printf "%s:%d: %s\n", FILENAME, FNR, text
  ++wrong
}

# Tests, and headers that only tests include.
function is_test_file(path) { return path ~ /_(test|bench|fuzz)\.(h|cpp)$/ || path ~ /\/fake_[a-z_]*\.h$/ }

FNR == 1 {
  room = room_of(FILENAME)
  is_test = is_test_file(FILENAME) || room == ""
  in_comment = 0
  if (room != "" && room != "cli" && !(room in rooms)) {
    complain("room '" room "' is not in the table of tools/check_layers.awk; give it its arrows there")
  }
}

# What the line has besides comments and literals.
function code_of(line,   out, c, two, i, n) {
  n = length(line)
  for (i = 1; i <= n; ++i) {
    c = substr(line, i, 1)
    two = substr(line, i, 2)
    if (in_comment) {
      if (two == "*/") { in_comment = 0; ++i }
    } else if (two == "//") {
      break
    } else if (two == "/*") {
      in_comment = 1; ++i
    } else if (c == "'" && substr(line, i + 1) ~ /^\\?"'/) {  # '"' opens no string
      i += index(substr(line, i + 1), "'")
    } else if (c == "\"") {
      for (++i; i <= n && substr(line, i, 1) != "\""; ++i) if (substr(line, i, 1) == "\\") ++i
      out = out "\"\""
    } else {
      out = out c
    }
  }
  return out
}

/^[ \t]*#[ \t]*include/ {
  header = $0
  sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", header)
  sub(/[>"].*$/, "", header)
  check_include(header, $0 ~ /include[ \t]*"/)
  next
}

function check_include(header, quoted,   to) {
  if (header ~ /^ddpm\//) {
    to = is_factory(header) && room != room_of(header) ? "backends" : room_of(header)
    if (!may_include(room, to)) {
      complain("room '" room "' may not include '" to "' (" header "); it may include: base " arrows[room])
    }
  } else if (quoted && room != "" && header !~ /^hwy\//) {
    complain("got #include \"" header "\", expected a path from the root, as \"ddpm/base/error.h\"")
  }
  if (!is_test && is_test_file(header)) complain(header " is for tests")
  if (header == "random" && !is_test) complain("<random> differs between libraries; use ddpm/base/philox.h")
  if (header ~ /^(torch|ATen|c10)\// && room != "engine/libtorch") {
    complain("only ddpm/engine/libtorch may include torch's headers")
  }
  if (header ~ /^hwy\/contrib\/math/ && !is_test) {
    complain("Highway's math functions differ between instruction sets; write the polynomial with fma")
  }
}

{
  if (is_test) next
  code = $0
  if (in_comment || code ~ /["\/]/) code = code_of(code)

  # exact.h and the kernels on Highway's vectors (-inl.h) have functions of these names of their own.
  own_names = FILENAME ~ /^ddpm\/base\/exact\.(h|cpp)$/ || FILENAME ~ /-inl\.h$/
  if (room in exact && (code ~ ("(std|^|[^A-Za-z0-9_>])::" libm after) || code ~ ("__builtin_" libm after) ||
                        (code ~ (before libm "\\(") && !own_names))) {
    complain("libm differs between machines and this reaches a pixel or a weight; use ddpm/base/exact.h")
  }
  if (code ~ ("std::" random after) || code ~ (before "s?rand\\(")) {
    complain("this random number is not a function of its key; use ddpm/base/philox.h")
  }
  if (room != "cli" &&
      (code ~ /std::(cout|cerr|clog)/ || code ~ /fmt::print/ || code ~ ("(std::|" before ")" prints "\\(") ||
       code ~ /fprintf\((stderr|stdout)/)) {
    complain("library rooms never print; return it, or tell an observer")
  }
  if (room != "cli" && code ~ ("(std::|" before ")" stops "\\(")) {
    complain("library rooms never end the program; throw Error or BugError")
  }
}

END { exit wrong > 0 }
