/* Inlined: the library is header-only when asked, so short keys cost no call. */
#define XXH_INLINE_ALL
#include <xxhash.h>
