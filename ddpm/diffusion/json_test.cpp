// Boost.JSON's definitions for the tests of this room (header-only mode: the room itself reads no
// JSON).
#include <boost/json/src.hpp>
