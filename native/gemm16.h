// Products of matrices in bfloat16, summed in float32. An operand is given in bfloat16, or in float32 and rounded.
#ifndef ANEMONE_GEMM16_H
#define ANEMONE_GEMM16_H
#include <stddef.h>
#include <stdint.h>

// A matrix whose elements are float32, or bfloat16 where it `is_low`. One lies at row * rs + column * cs.
typedef struct {
  const void *data;
  int is_low;
  ptrdiff_t rs, cs;
} operand;

// One product: C [m,n] = alpha * op(A) [m,k] * op(B) [k,n] + D. D may be C.
typedef struct {
  ptrdiff_t m, n, k;
  operand a, b;
  float alpha;
  const float *d; // summand, or null
  ptrdiff_t drs, dcs;
  float *c; // rows of n
  const void *packed; // op(B) as gemm16_pack lays it out, instead of b; or null
} product;

// Calls fn(data, i) for i in [0, count), on several threads or on this one.
typedef void (*parallel_fn)(void *data, size_t i);
typedef struct {
  void *context;
  void (*run)(void *context, parallel_fn fn, size_t count, void *data);
} pool;

// Whether this CPU has the instructions of avx512_bf16.
int gemm16_is_fast(void);
// The same numbers by any CPU, slowly: for tests, and to compare with. Default 0.
void gemm16_use_portable(int portable);
// An operand from element `index` of its memory on.
operand gemm16_from(operand x, ptrdiff_t index);
// op(B) for many products: its bytes, and how it is laid out there. Of the product k, n and b count.
size_t gemm16_packed_bytes(ptrdiff_t k, ptrdiff_t n);
void gemm16_pack(const product *p, const pool *threads, void *to);
// Returns 0, or 1 where there is no memory.
int gemm16(const product *p, const pool *threads);
// `count` products on several threads, a whole one on each.
int gemm16_many(const product *p, size_t count, const pool *threads);
#endif
