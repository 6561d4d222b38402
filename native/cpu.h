// What operators have in common that compute in loops: forms of a function for what CPUs can, and which positions a tap of a kernel reaches.
#ifndef ANEMONE_CPU_H
#define ANEMONE_CPU_H
#include "gemm16.h"

#define INLINE static inline __attribute__((always_inline))
// Forms of a function, in the order of `form_of_this_cpu`: for any, and these.
#define OF_AVX2 __attribute__((target("avx2,fma")))
#define OF_AVX512 __attribute__((target("avx512f,prefer-vector-width=512")))

static inline int form_of_this_cpu(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return 2;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}

// Has `count` calls made of the form for this CPU.
static inline void run_calls(const parallel_fn *forms, ptrdiff_t count, void *data, const pool *threads) {
  parallel_fn fn = forms[form_of_this_cpu()];
  if (count > 1) threads->run(threads->context, fn, (size_t)count, data);
  else if (count == 1) fn(data, 0);
}

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
INLINE ptrdiff_t rounded_up(ptrdiff_t a, ptrdiff_t b) { return a <= 0 ? 0 : (a + b - 1) / b; }

// Positions of a convolution's result of which a tap is within the image, from `first` to before `end`: position o meets o * stride + shift.
typedef struct {
  ptrdiff_t first, end, shift;
} reach;

INLINE reach reached(ptrdiff_t shift, ptrdiff_t stride, ptrdiff_t size, ptrdiff_t out) {
  return (reach){rounded_up(-shift, stride), least(out, rounded_up(size - shift, stride)), shift};
}
#endif
