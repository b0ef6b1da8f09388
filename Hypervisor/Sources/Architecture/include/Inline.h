// Functions of one or a few instructions, at the place of the call even where the compiler minds the size above all.
#pragma once
#define ALWAYS_INLINE static inline __attribute__((always_inline))
